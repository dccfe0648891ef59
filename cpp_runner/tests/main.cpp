#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "artifacts.hpp"

namespace mpm::tests {

// Set by a test that needed an artifact and found none.
bool is_skipped = false;

}  // namespace mpm::tests

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int result = context.run();
  return result == 0 && mpm::tests::is_skipped ? mpm::tests::skip_return_code : result;
}

#include "backends/first_library.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace mpm;

namespace {

// Which of some files is taken: any but that of mathematics.
std::string taken_of(const std::vector<std::string>& files) {
  return first_library(files, [](const std::string& file, void* library) {
    CHECK(library != nullptr);
    if (file == "libm.so.6") throw std::runtime_error(file + " is too old");
    return file;
  });
}

}  // namespace

TEST_SUITE("first_library") {
  TEST_CASE("one that is not there, or not taken, leaves it to the next") {
    CHECK(taken_of({"/nowhere/libc.so.6", "libm.so.6", "libc.so.6", "libdl.so.2"}) == "libc.so.6");
  }

  TEST_CASE("where none is taken each reason is told") {
    std::string said;
    try {
      taken_of({"/nowhere/libc.so.6", "libm.so.6"});
    } catch (const std::runtime_error& error) {
      said = error.what();
    }
    CHECK(said.starts_with("/nowhere/libc.so.6: "));
    CHECK(said.ends_with("; libm.so.6 is too old"));
  }
}

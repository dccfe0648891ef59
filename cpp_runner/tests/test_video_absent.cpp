// Of a build that has none of FFmpeg's libraries.

#include <doctest/doctest.h>

#include "mpm_runner/error.hpp"
#include "mpm_runner/source.hpp"

using namespace mpm;

TEST_SUITE("video") {
  TEST_CASE("a build without FFmpeg says so, and what to do") {
    try {
      open_video("a.mp4");
      FAIL("it was opened");
    } catch (const HostError& error) {
      CHECK(error.problem() == "a.mp4: this program was built without videos and cameras");
      CHECK(error.hint().find("-DMPM_VIDEO=ON") != std::string::npos);
    }
  }
}

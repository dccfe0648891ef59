#include <doctest/doctest.h>

#include "measurements_made.hpp"
#include "table.hpp"

using namespace mpm::program;
using namespace mpm::tests;

TEST_SUITE("table") {
  TEST_CASE("columns are set to the right under their heads") {
    CHECK(results_table({make_measurement()}) ==
          "batch   end-to-end FPS   model FPS   p50 ms   p90 ms   p99 ms   tokens kept   GFLOPs   "
          "peak MiB\n"
          "────────────────────────────────────────────────────────────────────────────────────────"
          "───"
          "────\n"
          "   32             7.50        12.3      100      200        –     700 → 400     4.50   "
          "     321\n");
  }
}

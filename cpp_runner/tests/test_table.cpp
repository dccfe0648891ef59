#include <doctest/doctest.h>

#include "measurements_made.hpp"
#include "table.hpp"

using namespace mpm;
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

  TEST_CASE("a sentence where the machine was contended") {
    const auto sentence = [](std::vector<Contention> told) {
      std::vector<Measurement> results;
      for (const Contention& contention : told) {
        results.push_back(make_measurement());
        results.back().contention = contention;
      }
      return contention_sentence(results).value_or("");
    };
    CHECK(sentence({}) == "");
    CHECK(sentence({{0.1, 300, 0}}) == "");   // by its own threads
    CHECK(sentence({{1.5, 10, 0.5}}) == "");  // others, on cores to spare
    CHECK(sentence({{0.1, 10, 0}, {0.97, 240, 0}}) ==
          "The machine was contended, and speeds are lower for it: other processes kept 1.0 of its "
          "cores busy.");
    CHECK(sentence({{0, 90, 5.6}}) ==
          "The machine was contended, and speeds are lower for it: a CPU quota stopped it 6 times "
          "a second.");
    CHECK(sentence({{1, 90, 5.6}}) ==
          "The machine was contended, and speeds are lower for it: other processes kept 1.0 of its "
          "cores busy; a CPU quota stopped it 6 times a second.");
  }
}

#include <doctest/doctest.h>

#include <string>

#include "backends/heard.hpp"

using namespace mpm;

TEST_SUITE("heard") {
  TEST_CASE("a cause and what failed by it are told once") {
    Heard heard;
    heard.hear("no memory", true);
    heard.hear("slow", false);
    heard.hear("no engine", true);
    CHECK(heard.said() == "no memory; no engine");
    CHECK(heard.said() == "it gives no reason");
  }

  TEST_CASE("the first are told, and not what follows from them") {
    Heard heard;
    for (int number = 0; number < 10'000; ++number) heard.hear(std::to_string(number), true);
    CHECK(heard.said() == "0; 1; 2; 3");
  }

  TEST_CASE("a warning is the reason where there is no other") {
    Heard heard;
    heard.hear("CUDA initialization failure with error: 35", false);
    CHECK(heard.said() == "CUDA initialization failure with error: 35");
  }

  TEST_CASE("what was said before an operation explains nothing in it") {
    Heard heard;
    heard.hear("of yesterday", true);
    heard.hear("of yesterday", false);
    heard.begin();
    CHECK(heard.said() == "it gives no reason");
  }
}

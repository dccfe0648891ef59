#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/opened_once.hpp"

using namespace mpm;

namespace {

std::shared_ptr<void> anything() { return std::make_shared<int>(); }

}  // namespace

TEST_SUITE("opened once") {
  TEST_CASE("one payload is opened once as long as somebody has it") {
    int opened = 0;
    const auto open = [&] {
      ++opened;
      return anything();
    };
    auto first = opened_once("a", "scores", open);
    CHECK(opened_once("a", "scores", open) == first);
    CHECK(opened == 1);
    const auto others = {opened_once("a", "labels", open), opened_once("b", "scores", open)};
    CHECK(opened == 3);
    first.reset();
    opened_once("a", "scores", open);
    CHECK(opened == 4);
    CHECK(others.size() == 2);
  }

  TEST_CASE("what cannot be opened is tried again") {
    const auto fail = []() -> std::shared_ptr<void> { throw std::runtime_error("no"); };
    for (int turn = 0; turn < 2; ++turn) CHECK_THROWS(opened_once("c", "scores", fail));
    CHECK(opened_once("c", "scores", anything));
  }

  TEST_CASE("a forked child begins with nothing") {
    const auto kept = opened_once("d", "scores", anything);
    const pid_t child = fork();
    if (child == 0) _exit(opened_once("d", "scores", anything) == kept ? 1 : 0);
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
}

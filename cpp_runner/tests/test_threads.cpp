#include "support/threads.hpp"

#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include <stdexcept>
#include <system_error>
#include <thread>

#include "support/task_thread.hpp"
#include "threads_denied.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

int threads_of_a_new_thread() {
  int threads = 0;
  std::thread([&] { threads = at::get_num_threads(); }).join();
  return threads;
}

}  // namespace

TEST_SUITE("threads") {
  TEST_CASE("what prepares a thread may fail: its task says so, and the next one tries again") {
    int tries = 0;
    const TaskThread thread([&] {
      if (++tries < 3) throw std::runtime_error("not yet");
    });
    const auto answer = [] { return 42; };
    CHECK_THROWS_WITH(thread.run(answer), "not yet");
    CHECK_THROWS_WITH(thread.run(answer), "not yet");
    CHECK(thread.run(answer) == 42);
    CHECK(thread.run(answer) == 42);
    CHECK(tries == 3);
  }

  TEST_CASE("a task without a thread is refused, and a later one is done") {
    const TaskThread thread;
    threads_left = 0;
    CHECK_THROWS_AS(thread.run([] {}), std::system_error);
    threads_left = -1;
    CHECK(thread.run([] { return 42; }) == 42);
  }

  TEST_CASE("operators keep their number of threads where there is none to change it with") {
    const int of_new_threads = threads_of_a_new_thread();
    std::thread([] {
      use_intra_op_threads(3);
      CHECK(at::get_num_threads() == 3);
      threads_left = 0;
      CHECK_THROWS_AS(use_intra_op_threads(2), std::system_error);
      CHECK_THROWS_AS(OneThread(), std::system_error);
      CHECK(at::get_num_threads() == 3);
      threads_left = -1;
      {
        const OneThread one;
        CHECK(at::get_num_threads() == 1);
        threads_left = 0;
      }
      CHECK(at::get_num_threads() == 1);  // slower, and nothing is thrown
    }).join();
    CHECK(threads_of_a_new_thread() == of_new_threads);
  }
}

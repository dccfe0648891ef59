#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <latch>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "backends/image_parallel.hpp"
#include "threads_denied.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

thread_local int threads_here = 0;

void use_threads(int threads) { threads_here = threads; }

}  // namespace

TEST_SUITE("side_by_side") {
  TEST_CASE("every part is done once, whatever the number of threads") {
    for (const int threads : {1, 2, 3, 8}) {
      SideBySide side_by_side(threads, use_threads);
      for (const std::size_t parts : {1u, 2u, 3u, 7u, 100u, 2u}) {
        std::vector<int> times(parts, 0);
        side_by_side.run(parts, [&](std::size_t part) { ++times[part]; });
        CHECK(times == std::vector<int>(parts, 1));
      }
    }
  }

  TEST_CASE("parts run at the same time") {
    SideBySide side_by_side(3, use_threads);
    std::latch all_begun(3);
    side_by_side.run(3, [&](std::size_t) { all_begun.arrive_and_wait(); });
    CHECK(all_begun.try_wait());
  }

  TEST_CASE("one part, or one thread, stays with the caller") {
    const std::thread::id caller = std::this_thread::get_id();
    const auto check_caller = [&](std::size_t) { CHECK(std::this_thread::get_id() == caller); };
    SideBySide(8, use_threads).run(1, check_caller);
    SideBySide(1, use_threads).run(5, check_caller);
  }

  TEST_CASE("workers share the threads out") {
    SideBySide side_by_side(8, use_threads);
    for (const std::size_t parts : {2u, 3u, 64u, 3u, 3u}) {
      const int share = 8 / static_cast<int>(std::min<std::size_t>(parts, 8));
      std::atomic<bool> is_share = true;
      side_by_side.run(parts, [&](std::size_t) { is_share = is_share && threads_here == share; });
      CHECK(is_share);
    }
  }

  TEST_CASE("few parts come to the same few threads") {
    SideBySide side_by_side(8, use_threads);
    std::mutex mutex;
    std::set<std::thread::id> seen;
    side_by_side.run(8, [](std::size_t) {});
    for (int i = 0; i < 50; ++i) {
      side_by_side.run(2, [&](std::size_t) {
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
      });
    }
    CHECK(seen.size() <= 2);
  }

  TEST_CASE(
      "where a worker cannot be started, or gets no share, those that are at work end first") {
    for (const bool is_denied : {true, false}) {
      std::atomic<int> calls = 0, ended = 0, done = 0;
      SideBySide side_by_side(2, [&](int) {
        if (++calls == 1 && !is_denied) throw std::system_error(EAGAIN, std::generic_category());
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        ++ended;
      });
      const auto run = [&] { side_by_side.run(4, [&](std::size_t) { ++done; }); };
      threads_left = is_denied ? 1 : 2;
      CHECK_THROWS_AS(run(), std::system_error);
      threads_left = -1;
      CHECK(ended == 1);
      CHECK(done == 0);
      run();  // and it may go on, shared out anew
      CHECK(ended == 3);
      CHECK(done == 4);
    }
  }

  TEST_CASE("what the first part throws is thrown after all have ended") {
    for (const int threads : {1, 4}) {
      SideBySide side_by_side(threads, use_threads);
      std::atomic<int> ended = 0;
      const auto run = [&] {
        side_by_side.run(20, [&](std::size_t part) {
          std::this_thread::sleep_for(std::chrono::microseconds(part == 3 ? 5000 : 100));
          ++ended;
          if (part == 3 || part == 11) throw std::runtime_error(std::to_string(part));
        });
      };
      CHECK_THROWS_WITH(run(), "3");
      CHECK(ended == 20);
      side_by_side.run(5, [&](std::size_t) { ++ended; });  // and it may go on
      CHECK(ended == 25);
    }
  }
}

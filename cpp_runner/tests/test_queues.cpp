#include <doctest/doctest.h>

#include <atomic>
#include <chrono>

#include "bounded_queue.hpp"
#include "read_ahead.hpp"

using namespace mpm;

TEST_SUITE("queues") {
  TEST_CASE("a bounded queue keeps order and gives what is left after it was closed") {
    BoundedQueue<int> queue(2);
    CHECK(queue.push(1));
    CHECK(queue.push(2));
    queue.close();
    CHECK_FALSE(queue.push(3));
    CHECK(queue.pop() == 1);
    CHECK(queue.pop() == 2);
    CHECK(queue.pop() == std::nullopt);
  }

  TEST_CASE("a bounded queue makes the producer wait") {
    BoundedQueue<int> queue(3);
    std::atomic<int> pushed = 0;
    std::thread producer([&] {
      for (int i = 0; i < 100 && queue.push(i); ++i) ++pushed;
    });
    for (int i = 0; i < 100; ++i) {
      CHECK(queue.pop() == i);
      CHECK(pushed <= i + 5);  // taken, three that wait, one at the door
    }
    producer.join();
  }

  TEST_CASE("closing wakes a producer that waits") {
    BoundedQueue<int> queue(1);
    queue.push(0);
    std::thread producer([&] { CHECK_FALSE(queue.push(1)); });
    queue.close();
    producer.join();
  }

  TEST_CASE("read-ahead keeps order whoever is slow, and stays within its bound") {
    constexpr std::size_t ahead = 5;
    std::atomic<std::size_t> taken = 0;
    std::atomic<bool> in_bounds = true;
    ReadAhead<std::size_t> items(200, 4, ahead, [&](std::size_t index) {
      if (index >= taken + ahead + 1) in_bounds = false;
      if (index % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return index;
    });
    for (std::size_t i = 0; i < 200; ++i) {
      CHECK(items.next() == i);
      taken = i + 1;
    }
    CHECK(items.next() == std::nullopt);
    CHECK(in_bounds);
  }

  TEST_CASE("read-ahead may be left early, and of nothing gives nothing") {
    const auto same = [](std::size_t index) { return index; };
    ReadAhead<std::size_t> left(1000, 3, 4, same);
    CHECK(left.next() == 0u);
    ReadAhead<std::size_t> none(0, 2, 4, same);
    CHECK(none.next() == std::nullopt);
  }

  TEST_CASE("what the work throws comes out of next") {
    ReadAhead<int> items(10, 2, 4, [](std::size_t index) -> int {
      if (index == 3) throw std::runtime_error("three");
      return 0;
    });
    const auto take_all = [&] {
      while (items.next()) {
      }
    };
    CHECK_THROWS_WITH(take_all(), "three");
  }
}

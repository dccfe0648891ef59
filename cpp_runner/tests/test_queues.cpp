#include <doctest/doctest.h>

#include <atomic>
#include <chrono>

#include "run/producer.hpp"
#include "run/read_ahead.hpp"
#include "support/bounded_queue.hpp"

using namespace mpm;

namespace {

// 0 .. count - 1, each asked for and then given.
std::function<std::optional<int>()> numbers(int count) {
  return
      [count, next = 0]() mutable { return next < count ? std::optional(next++) : std::nullopt; };
}

void wait_a_little() { std::this_thread::sleep_for(std::chrono::microseconds(200)); }

template <typename Items>
void take_all(Items& items) {
  while (items.next()) {
  }
}

}  // namespace

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
    constexpr int ahead = 5;
    std::atomic<int> taken = 0;
    std::atomic<bool> in_bounds = true;
    ReadAhead<int, int> items(4, ahead, numbers(200), [&](int number) {
      if (number >= taken + ahead + 1) in_bounds = false;
      if (number % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return number;
    });
    for (int i = 0; i < 200; ++i) {
      CHECK(items.next() == i);
      taken = i + 1;
    }
    CHECK(items.next() == std::nullopt);
    CHECK(in_bounds);
  }

  TEST_CASE("read-ahead may be left early, and of nothing gives nothing") {
    const auto same = [](int number) { return number; };
    ReadAhead<int, int> left(3, 4, numbers(1000), same);
    CHECK(left.next() == 0);
    ReadAhead<int, int> none(2, 4, numbers(0), same);
    CHECK(none.next() == std::nullopt);
  }

  TEST_CASE("what the work throws comes out of next behind what was before, each time") {
    ReadAhead<int, int> items(2, 4, numbers(10), [](int number) {
      if (number == 3) throw std::runtime_error("three");
      return number;
    });
    for (int i = 0; i < 3; ++i) CHECK(items.next() == i);
    CHECK_THROWS_WITH(take_all(items), "three");
    CHECK_THROWS_WITH(take_all(items), "three");
  }

  TEST_CASE("what taking throws comes behind all that was taken, however slow it is") {
    const auto three = [make = numbers(10)]() mutable {
      const std::optional<int> number = make();
      if (number == 3) throw std::runtime_error("three");
      return number;
    };
    ReadAhead<int, int> items(2, 8, three, [](int number) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return number;
    });
    for (int i = 0; i < 3; ++i) CHECK(items.next() == i);
    CHECK_THROWS_WITH(take_all(items), "three");
  }

  TEST_CASE("producers in a row keep order, whichever is slow") {
    for (const int slow : {0, 1, 2}) {
      Producer<int> first(1, [&, make = numbers(50)]() mutable {
        if (slow == 0) wait_a_little();
        return make();
      });
      Producer<int> second(1, [&]() -> std::optional<int> {
        if (slow == 1) wait_a_little();
        const std::optional<int> item = first.next();
        return item ? std::optional(10 * *item) : std::nullopt;
      });
      for (int i = 0; i < 50; ++i) {
        if (slow == 2) wait_a_little();
        CHECK(second.next() == 10 * i);
      }
      CHECK(second.next() == std::nullopt);
      CHECK(second.next() == std::nullopt);
    }
  }

  TEST_CASE("a producer works while its items are used, and not further ahead than it may") {
    std::atomic<int> made = 0;
    Producer<int> items(2, [&]() -> std::optional<int> { return made++; });
    for (int i = 0; i < 100; ++i) {
      CHECK(items.next() == i);
      CHECK(made <= i + 5);  // taken, two that wait, one at the door, one begun
    }
    while (made < 103) wait_a_little();  // without being asked
  }

  TEST_CASE("what a producer throws comes after what it made, through those that ask it") {
    Producer<int> first(1, [make = numbers(5)]() mutable {
      const std::optional<int> item = make();
      if (item == 3) throw std::runtime_error("three");
      return item;
    });
    Producer<int> second(1, [&] { return first.next(); });
    for (int i = 0; i < 3; ++i) CHECK(second.next() == i);
    CHECK_THROWS_WITH(take_all(second), "three");
    CHECK_THROWS_WITH(take_all(second), "three");
  }

  TEST_CASE("producers may be left early: nothing more is begun") {
    for (const int taken : {0, 1, 10}) {
      std::atomic<int> made = 0;
      {
        Producer<int> first(1, [&]() -> std::optional<int> { return made++; });
        Producer<int> second(1, [&] { return first.next(); });
        for (int i = 0; i < taken; ++i) CHECK(second.next() == i);
        first.stop();
        const int made_then = made;
        CHECK(first.next() == std::nullopt);
        wait_a_little();
        CHECK(made <= made_then + 1);  // one that was begun
      }
      CHECK(made <= taken + 7);  // two a stage that wait or are begun, and one at each door
    }
  }
}

#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "support/bounded_queue.hpp"

namespace mpm {

// A thread that does tasks in the order they came. What libtorch knows of a thread stays with it:
// how many threads its operators use, and the pool of those, so that calls from many threads would
// make many pools, which slow one another.
class TaskThread {
 public:
  TaskThread() : thread_([this] { work(); }) {}
  ~TaskThread() {
    tasks_.close();
    thread_.join();
  }

  // Has the function run there; the future gives what it gives, and throws what it throws.
  template <typename Function>
  auto submit(Function function) const {
    using Result = decltype(function());
    const auto task = std::make_shared<std::packaged_task<Result()>>(std::move(function));
    std::future<Result> outcome = task->get_future();
    tasks_.push([task] { (*task)(); });
    return outcome;
  }

  // Runs the function there and waits for it.
  template <typename Function>
  auto run(Function function) const {
    return submit(std::move(function)).get();
  }

 private:
  void work() {
    while (const auto task = tasks_.pop()) (*task)();
  }

  static constexpr std::size_t most_waiting = 64;

  mutable BoundedQueue<std::function<void()>> tasks_{most_waiting};
  std::thread thread_;
};

}  // namespace mpm

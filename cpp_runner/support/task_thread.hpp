#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "support/bounded_queue.hpp"

namespace mpm {

// A thread that does tasks in the order they came; it starts with the first one. What libtorch
// knows of a thread stays with it: how many threads its operators use, and the pool of those, so
// that calls from many threads would make many pools, which slow one another.
class TaskThread {
 public:
  // prepare: is called there before the first task. What it throws that task throws, and it is
  // called again before the next one.
  explicit TaskThread(std::function<void()> prepare = [] {}) : prepare_(std::move(prepare)) {}
  ~TaskThread() {
    tasks_.close();
    if (thread_.joinable()) thread_.join();
  }

  // Has the function run there; the future gives what it gives, and throws what it throws. Throws
  // std::system_error: the thread cannot be started.
  template <typename Function>
  auto submit(Function function) const {
    using Result = decltype(function());
    const auto task = std::make_shared<std::packaged_task<Result()>>(
        [this, function = std::move(function)]() mutable {
          prepare();
          return function();
        });
    std::future<Result> outcome = task->get_future();
    std::call_once(started_, [this] { thread_ = std::thread([this] { work(); }); });
    tasks_.push([task] { (*task)(); });
    return outcome;
  }

  // Runs the function there and waits for it.
  template <typename Function>
  auto run(Function function) const {
    return submit(std::move(function)).get();
  }

 private:
  void prepare() const {
    if (is_prepared_) return;
    prepare_();
    is_prepared_ = true;
  }

  void work() const {
    while (const auto task = tasks_.pop()) (*task)();
  }

  static constexpr std::size_t most_waiting = 64;

  const std::function<void()> prepare_;
  mutable BoundedQueue<std::function<void()>> tasks_{most_waiting};
  mutable bool is_prepared_ = false;  // of the thread
  mutable std::once_flag started_;
  mutable std::thread thread_;
};

}  // namespace mpm

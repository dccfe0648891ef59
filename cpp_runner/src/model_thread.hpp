#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "bounded_queue.hpp"

namespace mpm {

// A thread that a model's calls queue for. The thread pool behind libtorch's operators belongs to
// the thread that calls them: calls from many threads would make many pools, which slow one
// another.
class ModelThread {
 public:
  ModelThread() : thread_([this] { work(); }) {}
  ~ModelThread() {
    tasks_.close();
    thread_.join();
  }

  // Runs the function there and waits for it; gives what it gives, throws what it throws.
  template <typename Function>
  auto run(Function function) const {
    using Result = decltype(function());
    const auto task = std::make_shared<std::packaged_task<Result()>>(std::move(function));
    tasks_.push([task] { (*task)(); });
    return task->get_future().get();
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

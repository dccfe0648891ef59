#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "support/bounded_queue.hpp"

namespace mpm {

// Items made one after another on a thread of their own, of which `ahead` may wait to be taken. One
// producer's make() may ask another's next(): that is a pipeline.
//
// What make() throws ends the work and is thrown again by next().
template <typename T>
class Producer {
 public:
  // make: the next item, or nothing after the last.
  Producer(std::size_t ahead, std::function<std::optional<T>()> make)
      : make_(std::move(make)), made_(ahead), thread_([this] { work(); }) {}

  ~Producer() {
    stop();
    thread_.join();
  }

  // The next item in order; nothing after the last, or when stopped.
  std::optional<T> next() {
    std::optional<T> item = made_.pop();
    if (stopped_) return std::nullopt;
    if (!item && failure_) std::rethrow_exception(failure_);
    return item;
  }

  // Nothing more is begun; a next() that waits returns.
  void stop() {
    stopped_ = true;
    made_.close();
  }

 private:
  void work() {
    try {
      while (!stopped_) {
        std::optional<T> item = make_();
        if (!item || !made_.push(std::move(*item))) break;
      }
    } catch (...) {  // not understood here, only carried over
      failure_ = std::current_exception();
    }
    made_.close();
  }

  const std::function<std::optional<T>()> make_;
  BoundedQueue<T> made_;
  std::atomic<bool> stopped_ = false;
  std::exception_ptr failure_;  // written before made_ is closed, read after
  std::thread thread_;
};

}  // namespace mpm

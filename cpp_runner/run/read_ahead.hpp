#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace mpm {

// Items 0 .. count-1 made by worker threads ahead of whoever asks for them, in order, at most
// `ahead` of them at once.
//
//   made:   0 1 2 3 . . . .        next() gives 3, workers are on 4 .. 3 + ahead
//
// What make(index) throws ends the work and is thrown again by next().
template <typename T>
class ReadAhead {
 public:
  ReadAhead(std::size_t count, int workers, std::size_t ahead, std::function<T(std::size_t)> make)
      : count_(count), make_(std::move(make)), slots_(ahead) {
    try {
      for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {  // no thread is left: those that are there end
      join();
      throw;
    }
  }

  ~ReadAhead() { join(); }

  // The next item in order; nothing after the last, or when stopped.
  std::optional<T> next() {
    std::unique_lock lock(mutex_);
    if (taken_ == count_) return std::nullopt;
    std::optional<T>& slot = slots_[taken_ % slots_.size()];
    made_.wait(lock, [&] { return slot || stopped_; });
    if (failure_) std::rethrow_exception(failure_);
    if (stopped_) return std::nullopt;
    std::optional<T> item = std::exchange(slot, std::nullopt);
    ++taken_;
    freed_.notify_one();
    return item;
  }

  // Nothing more is begun; a next() that waits returns.
  void stop() { stop(nullptr); }

 private:
  void join() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  void work() {
    while (const std::optional<std::size_t> index = begin_one()) {
      try {
        put(*index, make_(*index));
      } catch (...) {  // not understood here, only carried over
        stop(std::current_exception());
      }
    }
  }

  void put(std::size_t index, T item) {
    const std::lock_guard lock(mutex_);
    slots_[index % slots_.size()] = std::move(item);
    made_.notify_one();
  }

  void stop(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    stopped_ = true;
    made_.notify_all();
    freed_.notify_all();
  }

  std::optional<std::size_t> begin_one() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock,
                [&] { return stopped_ || begun_ == count_ || begun_ < taken_ + slots_.size(); });
    if (stopped_ || begun_ == count_) return std::nullopt;
    return begun_++;
  }

  const std::size_t count_;
  const std::function<T(std::size_t)> make_;
  std::mutex mutex_;
  std::condition_variable made_;
  std::condition_variable freed_;
  std::vector<std::optional<T>> slots_;  // item i waits in slot i % ahead
  std::size_t begun_ = 0;
  std::size_t taken_ = 0;
  bool stopped_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace mpm

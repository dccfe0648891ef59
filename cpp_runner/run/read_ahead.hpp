#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace mpm {

// What is taken from a source, one after another, and made into items by worker threads ahead of
// whoever asks for them, in order, at most `ahead` of them at once.
//
//   made:   0 1 2 3 . . . .        next() gives 3, workers are on 4 .. 3 + ahead
//
// What taking or making throws ends the work, and is thrown by every next() behind the items taken
// before. Where no more threads can be started, the first ones are all; where there is none,
// std::system_error is thrown.
template <typename Taken, typename Item>
class ReadAhead {
 public:
  // take: the next one, or nothing after the last; called by one thread at a time.
  ReadAhead(int workers, std::size_t ahead, std::function<std::optional<Taken>()> take,
            std::function<Item(Taken)> make)
      : take_(std::move(take)), make_(std::move(make)), slots_(ahead) {
    threads_.reserve(static_cast<std::size_t>(workers));
    try {
      for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {  // no thread is left: those that are there do it all
      if (threads_.empty()) throw;
    }
  }

  ~ReadAhead() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  // The next item in order; nothing after the last, or when stopped.
  std::optional<Item> next() {
    std::unique_lock lock(mutex_);
    std::optional<Outcome>& slot = slots_[given_ % slots_.size()];
    made_.wait(lock, [&] { return slot || stopped_ || (ended_ && given_ == taken_); });
    if (stopped_ || !slot) return std::nullopt;
    if (const auto* failure = std::get_if<std::exception_ptr>(&*slot)) {
      std::rethrow_exception(*failure);
    }
    std::optional<Item> item = std::get<Item>(std::move(*slot));
    slot.reset();
    ++given_;
    freed_.notify_one();
    return item;
  }

  // Nothing more is begun; a next() that waits returns.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    made_.notify_all();
    freed_.notify_all();
  }

 private:
  using Outcome = std::variant<Item, std::exception_ptr>;
  using Begun = std::pair<std::size_t, Taken>;

  void work() {
    while (std::optional<Begun> begun = begin_one()) {
      try {
        put(begun->first, make_(std::move(begun->second)));
      } catch (...) {  // not understood here, only carried over
        fail(begun->first, std::current_exception());
      }
    }
  }

  // A thread at a time: what is taken later has a later place.
  std::optional<Begun> begin_one() {
    const std::lock_guard turn(turn_);
    if (!has_room()) return std::nullopt;
    try {
      std::optional<Taken> taken = take_();
      if (taken) return Begun(place(), std::move(*taken));
      end();
    } catch (...) {
      fail(place(), std::current_exception());
    }
    return std::nullopt;
  }

  // Waits for room; false where nothing more is to be begun.
  bool has_room() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return stopped_ || ended_ || taken_ < given_ + slots_.size(); });
    return !stopped_ && !ended_;
  }

  std::size_t place() {
    const std::lock_guard lock(mutex_);
    return taken_++;
  }

  void put(std::size_t index, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    slots_[index % slots_.size()] = std::move(outcome);
    made_.notify_one();
  }

  void fail(std::size_t index, std::exception_ptr failure) {
    put(index, std::move(failure));
    end();
  }

  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    made_.notify_all();
    freed_.notify_all();
  }

  const std::function<std::optional<Taken>()> take_;
  const std::function<Item(Taken)> make_;
  std::mutex turn_;  // of the thread that takes
  std::mutex mutex_;
  std::condition_variable made_;
  std::condition_variable freed_;
  std::vector<std::optional<Outcome>> slots_;  // item i waits in slot i % ahead
  std::size_t taken_ = 0;
  std::size_t given_ = 0;
  bool ended_ = false;  // nothing more is taken
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mpm

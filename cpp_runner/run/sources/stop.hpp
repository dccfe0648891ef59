#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace mpm {

// Whether a source is to end: it was stopped, or whoever opened it says so.
class Stop {
 public:
  explicit Stop(std::function<bool()> asked) : asked_(std::move(asked)) {}

  void set() { is_set_ = true; }
  bool is_set() const { return is_set_ || asked_(); }

 private:
  std::atomic<bool> is_set_ = false;
  const std::function<bool()> asked_;
};

}  // namespace mpm

#pragma once

// Keeps what a library says while it works, for the error where it fails.
// `mpm_deploy/backends/tensorrt/heard.py` does the same.

#include <cstddef>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/joined.hpp"

namespace mpm {

// What was said since an operation began: a cause comes first, and what failed by it after. Threads
// may call it at once.
class Heard {
 public:
  // Forgets what was said of earlier operations.
  void begin() {
    const std::lock_guard lock(mutex_);
    errors_.clear();
    warnings_.clear();
  }

  // Keeps a message, if it is one of the first.
  void hear(const std::string& message, bool is_error) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string>& kept = is_error ? errors_ : warnings_;
    if (kept.size() < most_told) kept.push_back(message);
  }

  // Gives the errors, or, where none was told of, the warnings; and forgets both. Where CUDA cannot
  // start, the reason is a warning.
  std::string said() {
    const std::lock_guard lock(mutex_);
    const std::vector<std::string> errors = std::exchange(errors_, {});
    const std::vector<std::string> warnings = std::exchange(warnings_, {});
    const std::string told = joined(errors.empty() ? warnings : errors, "; ");
    return told.empty() ? "it gives no reason" : told;
  }

 private:
  static constexpr std::size_t most_told = 4;
  std::mutex mutex_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

}  // namespace mpm

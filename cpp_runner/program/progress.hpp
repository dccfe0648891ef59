#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mpm::program {

// A bar on stderr for what takes longer than two seconds; silent where that is no terminal.
class Progress {
 public:
  // total: none where nobody knows it.
  Progress(std::string title, std::optional<std::int64_t> total);
  ~Progress() { wipe(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance();
  // Takes the bar away until it advances, to make room for a line.
  void wipe();

 private:
  using Clock = std::chrono::steady_clock;

  void draw() const;

  const std::string title_;
  const std::optional<std::int64_t> total_;
  const bool is_terminal_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point drawn_ = begin_;
  std::int64_t done_ = 0;
  bool is_visible_ = false;
};

}  // namespace mpm::program

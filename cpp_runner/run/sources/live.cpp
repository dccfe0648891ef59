#include "run/sources/live.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "mpm_runner/error.hpp"
#include "run/sources/frame_image.hpp"
#include "support/refusal.hpp"

namespace mpm {

namespace {

constexpr double first_wait_s = 1;
constexpr std::chrono::milliseconds between_looks{50};  // whether to stop

}  // namespace

Live::Live(std::string name, std::unique_ptr<FrameReader> reader, Open open,
           Reconnecting reconnecting, std::shared_ptr<Stop> stop)
    : name_(std::move(name)),
      first_(std::move(reader)),
      open_(std::move(open)),
      reconnecting_(reconnecting),
      stop_(std::move(stop)) {}

Live::~Live() {
  stop();
  if (thread_.joinable()) thread_.join();
}

std::optional<SourceImage> Live::next() {
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return newest_ || is_over_; });
  if (!newest_ && error_) throw *error_;
  if (!newest_) return std::nullopt;
  Newest taken = *std::exchange(newest_, std::nullopt);
  if (!begin_) begin_ = taken.came;
  const std::chrono::duration<double> time = taken.came - *begin_;
  return frame_image(name_, ++given_, time.count(), std::move(taken.frame));
}

void Live::stop() {
  stop_->set();
  end(std::nullopt);
  const std::lock_guard lock(mutex_);
  newest_.reset();
}

Losses Live::losses() const {
  const std::lock_guard lock(mutex_);
  return losses_;
}

// What breaks is opened again: cameras are switched off and on, and networks fail for a while.
void Live::work() {
  std::optional<std::string> fault = relay([this] { return std::move(first_); });
  while (failures_ < reconnecting_.tries && rest()) {
    fault = relay([this] { return open_again(); });
  }
  const int tries = reconnecting_.tries;
  if (stop_->is_set() || (tries == 0 && !fault)) return end(std::nullopt);
  end(InputError(name_ + ": the stream broke, and " + std::to_string(tries) +
                     " tries to open it again failed: " + fault.value_or("it ended"),
                 "see whether it is there; --reconnect says how often to try"));
}

std::unique_ptr<FrameReader> Live::open_again() {
  std::unique_ptr<FrameReader> reader = open_();
  const std::lock_guard lock(mutex_);
  ++losses_.reconnects;
  return reader;
}

std::optional<std::string> Live::relay(const Open& open) {
  try {
    const std::unique_ptr<FrameReader> reader = open();
    std::int64_t counted = 0;  // of its broken frames
    while (std::unique_ptr<Frame> frame = reader->next()) {
      const std::int64_t broken = reader->broken();
      put(std::move(frame), broken - std::exchange(counted, broken));
    }
    return std::nullopt;
  } catch (const std::exception& error) {
    return line_of(error);
  }
}

void Live::put(std::unique_ptr<Frame> frame, std::int64_t broken) {
  failures_ = 0;
  const std::lock_guard lock(mutex_);
  losses_.broken += broken;
  losses_.dropped += newest_.has_value();
  newest_ = {std::move(frame), Clock::now()};
  changed_.notify_all();
}

bool Live::rest() {
  const double wait_s = std::min(first_wait_s * std::exp2(failures_), reconnecting_.longest_s);
  const auto end = Clock::now() + std::chrono::duration<double>(wait_s);
  while (!stop_->is_set() && Clock::now() < end) std::this_thread::sleep_for(between_looks);
  ++failures_;
  return !stop_->is_set();
}

void Live::end(std::optional<InputError> error) {
  const std::lock_guard lock(mutex_);
  is_over_ = true;
  error_ = std::move(error);
  changed_.notify_all();
}

}  // namespace mpm

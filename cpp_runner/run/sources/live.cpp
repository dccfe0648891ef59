#include "run/sources/live.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "mpm_runner/error.hpp"
#include "run/sources/frame_image.hpp"
#include "support/refusal.hpp"

namespace mpm {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double first_wait_s = 1;
constexpr std::chrono::milliseconds between_looks{50};  // whether to stop
constexpr std::chrono::seconds farewell{1};             // that a thread has to end

struct Newest {
  std::unique_ptr<Frame> frame;
  Clock::time_point came;
};

}  // namespace

// All that the thread needs, which may outlive the source: nothing ends a wait for a name server.
class Live::Reading {
 public:
  Reading(std::string name, std::unique_ptr<FrameReader> first, Open open,
          Reconnecting reconnecting, std::shared_ptr<Stop> stop)
      : name_(std::move(name)),
        first_(std::move(first)),
        open_(std::move(open)),
        reconnecting_(reconnecting),
        stop_(std::move(stop)) {}

  // The thread's work.
  void work();
  // Waits for the next frame; nothing after the last, or when stopped. Throws InputError.
  std::optional<Newest> next();
  void stop();
  // Whether the thread's work is done, or is within that time.
  bool ends_within(std::chrono::seconds time);
  Losses losses() const;

 private:
  // What came of all tries to read it: what is wrong, if something is.
  std::optional<InputError> relay_all();
  std::unique_ptr<FrameReader> open_again();
  // Gives nothing when the stream ends, or what is wrong when it breaks.
  std::optional<std::string> relay(const Open& open);
  void take(std::unique_ptr<FrameReader> reader);
  // Closes what is read, and keeps its count.
  void leave();
  void put(std::unique_ptr<Frame> frame);
  // Waits before another try; false when stopped.
  bool rest();
  void end(std::optional<InputError> error);

  const std::string name_;
  std::unique_ptr<FrameReader> first_;
  const Open open_;
  const Reconnecting reconnecting_;
  const std::shared_ptr<Stop> stop_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Newest> newest_;
  std::unique_ptr<FrameReader> reader_;  // that is open
  Losses losses_;                        // without those of that one
  std::optional<InputError> error_;
  bool is_over_ = false;  // nothing more is given
  bool is_done_ = false;  // the thread's work

  int failures_ = 0;  // in a row; of the thread
};

Live::Live(std::string name, std::unique_ptr<FrameReader> reader, Open open,
           Reconnecting reconnecting, std::shared_ptr<Stop> stop)
    : name_(std::move(name)),
      reading_(std::make_shared<Reading>(name_, std::move(reader), std::move(open), reconnecting,
                                         std::move(stop))) {}

Live::~Live() {
  stop();
  if (!thread_.joinable()) return;
  if (reading_->ends_within(farewell))
    thread_.join();
  else
    thread_.detach();
}

std::optional<SourceImage> Live::next() {
  if (!thread_.joinable()) thread_ = std::thread([reading = reading_] { reading->work(); });
  std::optional<Newest> taken = reading_->next();
  if (!taken) return std::nullopt;
  if (!begin_) begin_ = taken->came;
  const std::chrono::duration<double> time = taken->came - *begin_;
  return frame_image(name_, ++given_, time.count(), std::move(taken->frame));
}

void Live::stop() { reading_->stop(); }

Losses Live::losses() const { return reading_->losses(); }

std::optional<Newest> Live::Reading::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return newest_ || is_over_; });
  if (!newest_ && error_) throw *error_;
  return std::exchange(newest_, std::nullopt);
}

void Live::Reading::stop() {
  stop_->set();
  end(std::nullopt);
  const std::lock_guard lock(mutex_);
  newest_.reset();
}

bool Live::Reading::ends_within(std::chrono::seconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return is_done_; });
}

Losses Live::Reading::losses() const {
  const std::lock_guard lock(mutex_);
  Losses losses = losses_;
  if (reader_) losses.broken += reader_->broken();
  return losses;
}

void Live::Reading::work() {
  end(relay_all());
  const std::lock_guard lock(mutex_);
  is_done_ = true;
  changed_.notify_all();
}

// What breaks is opened again: cameras are switched off and on, and networks fail for a while.
std::optional<InputError> Live::Reading::relay_all() {
  std::optional<std::string> fault = relay([this] { return std::move(first_); });
  while (failures_ < reconnecting_.tries && rest()) {
    fault = relay([this] { return open_again(); });
  }
  const int tries = reconnecting_.tries;
  if (stop_->is_set() || (tries == 0 && !fault)) return std::nullopt;
  return InputError(name_ + ": the stream broke, and " + std::to_string(tries) +
                        " tries to open it again failed: " + fault.value_or("it ended"),
                    "see whether it is there; --reconnect says how often to try");
}

std::unique_ptr<FrameReader> Live::Reading::open_again() {
  std::unique_ptr<FrameReader> reader = open_();
  const std::lock_guard lock(mutex_);
  ++losses_.reconnects;
  return reader;
}

std::optional<std::string> Live::Reading::relay(const Open& open) {
  std::optional<std::string> fault;
  try {
    take(open());
    while (std::unique_ptr<Frame> frame = reader_->next()) put(std::move(frame));
  } catch (const std::exception& error) {
    fault = line_of(error);
  }
  leave();
  return fault;
}

void Live::Reading::take(std::unique_ptr<FrameReader> reader) {
  const std::lock_guard lock(mutex_);
  reader_ = std::move(reader);
}

void Live::Reading::leave() {
  std::unique_ptr<FrameReader> left;  // closed when nobody waits for the lock
  const std::lock_guard lock(mutex_);
  if (reader_) losses_.broken += reader_->broken();
  left = std::move(reader_);
}

void Live::Reading::put(std::unique_ptr<Frame> frame) {
  failures_ = 0;
  const std::lock_guard lock(mutex_);
  losses_.dropped += newest_.has_value();
  newest_ = {std::move(frame), Clock::now()};
  changed_.notify_all();
}

bool Live::Reading::rest() {
  const double wait_s = std::min(first_wait_s * std::exp2(failures_), reconnecting_.longest_s);
  const auto end = Clock::now() + std::chrono::duration<double>(wait_s);
  while (!stop_->is_set() && Clock::now() < end) std::this_thread::sleep_for(between_looks);
  ++failures_;
  return !stop_->is_set();
}

void Live::Reading::end(std::optional<InputError> error) {
  const std::lock_guard lock(mutex_);
  is_over_ = true;
  error_ = std::move(error);
  changed_.notify_all();
}

}  // namespace mpm

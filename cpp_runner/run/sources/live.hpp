#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "mpm_runner/error.hpp"
#include "mpm_runner/source.hpp"
#include "run/sources/frame_reader.hpp"
#include "run/sources/stop.hpp"

namespace mpm {

// How a live source that broke is opened again, as VideoOptions say.
struct Reconnecting {
  int tries;         // in a row
  double longest_s;  // that one of them waits
};

// What goes on unasked: a thread reads it, and the newest frame waits for whoever asks.
//
//   camera     0 1 2 3 4 5 6 7 8 9
//   asked      0     2     5     8       1, 3, 4, 6 and 7 are dropped
class Live : public Source {
 public:
  using Open = std::function<std::unique_ptr<FrameReader>()>;

  // reader: the first one; open: gives another after that one broke, or throws Error.
  Live(std::string name, std::unique_ptr<FrameReader> reader, Open open, Reconnecting reconnecting,
       std::shared_ptr<Stop> stop);
  // Waits a second for the thread, which may be waiting for the network, and then leaves it behind.
  ~Live() override;

  // Reading begins with the first call; times are those of this machine's clock. Throws InputError:
  // it broke, and cannot be opened again.
  std::optional<SourceImage> next() override;
  void stop() override;
  bool is_live() const override { return true; }
  Losses losses() const override;

 private:
  class Reading;

  const std::string name_;
  const std::shared_ptr<Reading> reading_;  // the thread's too
  std::int64_t given_ = 0;
  std::optional<std::chrono::steady_clock::time_point> begin_;  // when the first one given came
  std::thread thread_;
};

}  // namespace mpm

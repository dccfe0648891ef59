#pragma once

#include <memory>
#include <string>

#include "mpm_runner/source.hpp"
#include "run/sources/frame_reader.hpp"
#include "run/sources/stop.hpp"

namespace mpm {

// Every frame of a video, each when it is asked for.
class Video : public Source {
 public:
  // Throws ImageError: not one frame can be decoded.
  Video(std::string name, std::unique_ptr<FrameReader> reader, std::shared_ptr<Stop> stop);

  // Throws InputError: the video cannot be read on.
  std::optional<SourceImage> next() override;
  void stop() override { stop_->set(); }
  std::optional<std::int64_t> total() const override { return reader_->total(); }
  Losses losses() const override { return {.broken = reader_->broken()}; }

 private:
  double time_of(const Frame& frame);

  const std::string name_;
  const std::unique_ptr<FrameReader> reader_;
  const std::shared_ptr<Stop> stop_;
  std::unique_ptr<Frame> first_;  // read when it was opened
  std::int64_t given_ = 0;
  std::optional<double> begin_;  // on the video's clock
  double time_ = 0;              // of the last frame
};

}  // namespace mpm

#include "run/sources/video.hpp"

#include <utility>

#include "mpm_runner/error.hpp"
#include "run/sources/frame_image.hpp"

namespace mpm {

Video::Video(std::string name, std::unique_ptr<FrameReader> reader, std::shared_ptr<Stop> stop)
    : name_(std::move(name)),
      reader_(std::move(reader)),
      stop_(std::move(stop)),
      first_(reader_->next()) {
  if (first_ || stop_->is_set()) return;
  throw ImageError("not one frame in it can be decoded",
                   "the file is cut off or damaged: copy it again");
}

std::optional<SourceImage> Video::next() {
  if (stop_->is_set()) return std::nullopt;
  try {
    std::unique_ptr<Frame> frame = first_ ? std::move(first_) : reader_->next();
    if (!frame) return std::nullopt;
    const double time = time_of(*frame);
    return frame_image(name_, ++given_, time, std::move(frame));
  } catch (const ImageError& error) {
    throw InputError(name_ + ": " + error.problem(), error.hint());
  }
}

// Since the first frame; one without a time stamp comes a frame's duration after the one before.
double Video::time_of(const Frame& frame) {
  const std::optional<double> stamp = frame.time();
  if (!begin_) begin_ = stamp;
  if (stamp)
    time_ = *stamp - *begin_;
  else if (given_ > 0)
    time_ += reader_->frame_duration();
  return time_;
}

}  // namespace mpm

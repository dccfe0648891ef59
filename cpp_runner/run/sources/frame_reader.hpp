#pragma once

// A video or a camera that is open. FFmpeg's libraries decode; a build without them has
// ffmpeg/absent.cpp in the place of ffmpeg/reader.cpp.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mpm_runner/image.hpp"
#include "mpm_runner/source.hpp"

namespace mpm {

// A decoded frame. Its pixels are made when they are asked for: one that is dropped costs none.
class Frame {
 public:
  virtual ~Frame() = default;

  // In seconds, on the clock of its video; none where it has no time stamp.
  virtual std::optional<double> time() const = 0;
  // Before it is turned upright.
  virtual Size size() const = 0;
  // Upright RGB. Throws ImageError: of colors that cannot be converted.
  virtual Image image() const = 0;
};

class FrameReader {
 public:
  virtual ~FrameReader() = default;

  // The next frame in the order of display; none after the last, or when stopped. Throws
  // ImageError: it cannot be read on, and all frames before that are given.
  virtual std::unique_ptr<Frame> next() = 0;
  // Whether nobody knows its end, as of a camera.
  virtual bool is_endless() const = 0;
  // By what its head says.
  virtual std::optional<std::int64_t> total() const = 0;
  // Seconds from one frame to the next, as a rule; 0 where nobody knows.
  virtual double frame_duration() const = 0;
  // Frames that could not be decoded so far; by any thread.
  virtual std::int64_t broken() const = 0;
};

// Throws ImageError: it cannot be opened, or has no video; HostError: built without FFmpeg.
std::unique_ptr<FrameReader> open_frames(const std::string& place, const VideoOptions& options);

// Has FFmpeg's libraries say nothing on stderr, in all of this process.
void silence_decoders();

}  // namespace mpm

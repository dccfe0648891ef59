#pragma once

#include <memory>
#include <string>
#include <utility>

#include "mpm_runner/source.hpp"
#include "run/sources/frame_reader.hpp"

namespace mpm {

// A frame as a stream takes it. source: the name of the video or camera.
inline SourceImage frame_image(const std::string& source, std::int64_t index, double time,
                               std::unique_ptr<Frame> frame) {
  std::shared_ptr<const Frame> shared = std::move(frame);
  return {source + ", frame " + std::to_string(index), index, time, shared->size(),
          [shared] { return shared->image(); }};
}

}  // namespace mpm

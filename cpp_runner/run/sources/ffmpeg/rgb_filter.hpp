#pragma once

#include "mpm_runner/image.hpp"
#include "run/sources/ffmpeg/handles.hpp"

namespace mpm::ffmpeg {

// Decoded frames to RGB, by a graph of FFmpeg's filters: docs/formats/video.md says which. It is
// made anew where frames change, as at a new resolution.
class RgbFilter {
 public:
  // Throws ImageError: the filters take no such frame.
  Image image(const AVFrame& frame);

 private:
  void make_graph(const std::string& description);

  std::string description_;  // of the graph
  Graph graph_;
  AVFilterContext* first_ = nullptr;
  AVFilterContext* last_ = nullptr;
};

}  // namespace mpm::ffmpeg

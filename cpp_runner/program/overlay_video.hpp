#pragma once

// Draws label maps over the frames of a video, into another video.

#include <memory>
#include <vector>

#include "mpm_runner/image.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/result.hpp"
#include "video_file.hpp"

namespace mpm::program {

// Whether an output is to be an overlay video: a .mp4 or .mkv that is no folder.
bool names_a_video(const std::filesystem::path& output);

// An image mixed half and half with the colors of its classes. labels: of the image's size.
Image overlay(const Image& image, const LabelMap& labels, const std::vector<Color>& palette);

// The size with both sides even, as encoders want them.
Size even(Size size);

// Repeats the last row and column of an odd picture, and resizes one of another size.
Image resized(const Image& picture, Size size);

// A video of frames with their label maps over them, at the frames' own times. It has the size of
// its first frame, made even; frames of another size are resized to that.
class OverlayVideo {
 public:
  // path: a .mp4 or .mkv; it is there from the first frame on.
  OverlayVideo(std::filesystem::path path, std::vector<Color> palette);

  // Draws the next frame. seconds: when it is shown. Throws InputError: it cannot be written, as on
  // a full disk; what was written before plays.
  void write(const Image& image, const LabelMap& labels, double seconds);
  // Writes what the encoder still holds, and the file's end. Throws InputError: it cannot be
  // written.
  void close();

 private:
  std::unique_ptr<VideoFile> begin(Size size);

  const std::filesystem::path path_;
  const std::vector<Color> palette_;
  Size size_;
  std::int64_t last_ = -1;           // ticks
  std::unique_ptr<VideoFile> file_;  // from the first frame on, and until one cannot be written
};

}  // namespace mpm::program

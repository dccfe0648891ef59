#pragma once

// A video that is being written. FFmpeg's libraries encode; a build without them has
// ffmpeg/absent.cpp in the place of ffmpeg/video_file.cpp.

#include <cstdint>
#include <filesystem>
#include <memory>

#include "mpm_runner/image.hpp"

namespace mpm::program {

// Whatever ends the process, an MP4 plays up to its last key frame, and Matroska up to its last
// half second.
class VideoFile {
 public:
  virtual ~VideoFile() = default;

  // The next frame. rgb: of the video's size. tick: when it is shown, later than the one before.
  // Throws InputError: it cannot be written, as on a full disk; nothing more can be then.
  virtual void write(const Image& rgb, std::int64_t tick) = 0;
  // What the encoder still holds, and the file's end. Throws InputError: it cannot be written.
  virtual void close() = 0;
};

// A second has so many ticks: MPEG-4 has none shorter, and the common rates divide it.
inline constexpr int ticks_a_second = 60'000;

// path: a .mp4 or .mkv. size: even. Throws InputError: it cannot be written there.
std::unique_ptr<VideoFile> create_video(const std::filesystem::path& path, Size size);

}  // namespace mpm::program

#include "mpm_runner/source.hpp"
#include "program/video_file.hpp"

namespace mpm::program {

// Frames come from a video, and to open one is refused: nobody gets here.
std::unique_ptr<VideoFile> create_video(const std::filesystem::path& path, Size) {
  open_video(path.string());
  return nullptr;
}

}  // namespace mpm::program

#include "mpm_runner/error.hpp"
#include "run/sources/frame_reader.hpp"
#include "run/sources/names.hpp"

namespace mpm {

std::unique_ptr<FrameReader> open_frames(const std::string& place, const VideoOptions&) {
  throw HostError(without_password(place) + ": this program was built without videos and cameras",
                  "install FFmpeg's libraries, as cpp_runner/video-packages.txt names them, and "
                  "build it with -DMPM_VIDEO=ON");
}

void silence_decoders() {}

}  // namespace mpm

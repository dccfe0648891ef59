#include "image_target.hpp"

namespace {

// frame: marker (2 bytes), length (2), precision (1), height (2), width (2)
bool is_large_frame(mpm::Bytes file, std::size_t at) {
  if (file[at] != 0xFF || file[at + 1] < 0xC0 || file[at + 1] > 0xC2) return false;
  const std::uint64_t pixels =
      std::uint64_t{mpm::read_u16(file, at + 5)} * mpm::read_u16(file, at + 7);
  return pixels > mpm::fuzz::most_pixels;
}

bool has_large_frame(mpm::Bytes file) {
  for (std::size_t at = 0; at + 9 <= file.size(); ++at) {
    if (is_large_frame(file, at)) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mpm::Bytes file(data, size);
  return has_large_frame(file) ? mpm::fuzz::left_out : mpm::fuzz::decode_or_refuse(file);
}

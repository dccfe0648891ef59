#include "run/decode_memory.hpp"

#include "images/formats/raster.hpp"

namespace mpm {

namespace {

// At most, with all copies: of a progressive JPEG of four inks, decoded a second time in doubt. As
// in Python, which needs more of them.
constexpr std::uint64_t bytes_a_pixel = 20;

}  // namespace

void DecodeMemory::Room::admit(std::uint64_t width, std::uint64_t height) {
  check_size(width, height, memory_.max_pixels_);
  const std::uint64_t bytes = width * height * bytes_a_pixel;
  memory_.take(bytes);
  taken_ += bytes;
}

void DecodeMemory::take(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return taken_ == 0 || taken_ + bytes <= max_pixels_ * bytes_a_pixel; });
  taken_ += bytes;
}

void DecodeMemory::give_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  taken_ -= bytes;
  changed_.notify_all();
}

}  // namespace mpm

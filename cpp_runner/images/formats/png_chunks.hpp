#pragma once

#include <array>
#include <vector>

#include "images/formats/bytes.hpp"
#include "mpm_runner/image.hpp"

namespace mpm {

// A PNG file's chunks, checked, without the optional ones.
//
//   signature | IHDR, (PLTE), .. | IDAT, IDAT, .. | .. | IEND
struct PngStream {
  static constexpr std::uint8_t palette_type = 3;

  Size size;
  std::uint8_t depth;
  std::uint8_t color_type;
  std::array<std::array<std::uint8_t, 3>, 256> palette;  // black where the file names no color
  std::vector<std::uint8_t> bytes;  // signature, IHDR, PLTE where pixels are indices, IDAT, IEND
  int orientation;
};

// Throws ImageError: too large, cut off, or broken.
PngStream read_png_chunks(Bytes file);

}  // namespace mpm

#pragma once

#include <array>
#include <vector>

#include "images/formats/bytes.hpp"
#include "images/formats/raster.hpp"
#include "mpm_runner/image.hpp"

namespace mpm {

// A PNG file's chunks, checked, without the optional ones.
//
//   signature | IHDR, (PLTE), .. | IDAT, IDAT, .. | .. | IEND
struct PngChunks {
  static constexpr std::uint8_t palette_type = 3;

  Size size;
  std::uint8_t depth;
  std::uint8_t color_type;
  bool is_interlaced;
  std::array<std::array<std::uint8_t, 3>, 256> palette;  // black where the file names no color
  Bytes header;                                          // the data of IHDR
  std::vector<Bytes> packed;                             // the data of each IDAT
  int orientation;

  bool has_palette() const { return color_type == palette_type; }
  // The bytes of all rows, each behind the byte that names its filter.
  std::uint64_t stored_size() const;
};

// Throws ImageError: too large, cut off, or broken.
PngChunks read_png_chunks(Bytes file, const Admit& admit);

}  // namespace mpm

#pragma once

// Image files made for the tests.

#include <cstdint>
#include <vector>

#include "mpm_runner/image.hpp"

namespace mpm::tests {

using FileBytes = std::vector<std::uint8_t>;

// Smooth, with an edge, different in every channel and corner.
Image make_scene(Size size);

struct JpegStyle {
  int quality = 90;
  bool progressive = false;
  bool gray = false;
  int orientation = 1;  // an Exif segment where it is not 1
};
FileBytes encode_jpeg(const Image& image, const JpegStyle& style = {});

// CMYK as Adobe stores it: ink inverted. samples: (height, width, 4).
FileBytes encode_cmyk_jpeg(Size size, const std::vector<std::uint8_t>& samples);

struct PngStyle {
  int color_type = 2;  // as in the file format: 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA
  int depth = 8;
  bool interlaced = false;
  FileBytes palette = {};  // red, green, blue, ..
};
// rows: the file's own samples, row by row, packed as the format packs them.
FileBytes encode_png(Size size, const FileBytes& rows, const PngStyle& style = {});

// An Exif block with nothing but that orientation, from its TIFF header on.
FileBytes make_exif(int orientation, bool big_endian = false);

// A PNG chunk with its length and checksum.
FileBytes make_chunk(const std::string& name, const FileBytes& data);

}  // namespace mpm::tests

#pragma once

#include <vector>

#include "images/formats/bytes.hpp"
#include "images/formats/raster.hpp"

namespace mpm {

// A JPEG file without its metadata and its end.
//
//   SOI | APP0 .. APP15, COM, tables, SOF | SOS, scans .. | EOI, other pictures, trailers
//         `-- metadata is left out ----'   `-- untouched    `-- left out, or missing
struct JpegStream {
  std::vector<std::uint8_t> bytes;
  int orientation;
  bool has_end;
};

// Throws ImageError: too large, cut off, broken, or coded in a way that is not read.
JpegStream read_jpeg_header(Bytes file, const Admit& admit);

}  // namespace mpm

#pragma once

#include "images/formats/bytes.hpp"
#include "images/formats/raster.hpp"

namespace mpm {

bool is_jpeg(Bytes file);

// Decodes a whole JPEG file, baseline or progressive; of several pictures in one file, the first.
// Its end of image may be missing, but nothing of the picture. Throws ImageError: too large, cut
// off, broken, or coded in a way that is not read.
Raster read_jpeg(Bytes file, const Admit& admit);

}  // namespace mpm

#pragma once

#include "images/formats/bytes.hpp"
#include "images/formats/raster.hpp"

namespace mpm {

bool is_png(Bytes file);

// Decodes a whole PNG file of any color type and depth; of an animation, the default image. Throws
// ImageError: too large, cut off, or broken.
Raster read_png(Bytes file, const Admit& admit);

}  // namespace mpm

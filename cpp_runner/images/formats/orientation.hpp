#pragma once

#include "images/formats/raster.hpp"

namespace mpm {

// Turns the image as its EXIF orientation asks.
Image turn_upright(Raster raster);

}  // namespace mpm

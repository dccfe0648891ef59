#pragma once

#include <cstdint>
#include <span>

namespace mpm {

// The orientation in the first directory of an EXIF block, given from its TIFF header on: 1 to 8,
// and 1, "as stored", where the tag is absent or the block is broken.
int read_orientation(std::span<const std::uint8_t> tiff);

}  // namespace mpm

#pragma once

#include <cstdint>

#include "images/formats/bytes.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"

namespace mpm::fuzz {

// Up to what decoding allows by default, a picture of nothing takes a second, in which a thousand
// small ones are decoded.
inline constexpr std::int64_t max_pixels = 1 << 20;

// Decodes; anything but an ImageError gets through.
inline void decode_or_refuse(Bytes file) {
  try {
    decode(file, max_pixels);
  } catch (const ImageError&) {
  }
}

}  // namespace mpm::fuzz

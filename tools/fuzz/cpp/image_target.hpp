#pragma once

#include <cstdint>

#include "images/formats/bytes.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"

namespace mpm::fuzz {

// Pixels that a header may name here. Up to what decoding allows, a picture of nothing takes a
// second, in which a thousand small ones are decoded.
inline constexpr std::uint64_t most_pixels = 1 << 20;

// What a target returns: whether the input may become part of the corpus.
inline constexpr int taken = 0;
inline constexpr int left_out = -1;

// Decodes; anything but an ImageError gets through.
inline int decode_or_refuse(Bytes file) {
  try {
    decode(file);
  } catch (const ImageError&) {
  }
  return taken;
}

}  // namespace mpm::fuzz

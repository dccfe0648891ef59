#pragma once

#include <functional>
#include <string>

#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"

namespace mpm {

// An image as its file stores it; the orientation, 1 to 8, is still to be applied.
struct Raster {
  Image image;
  int orientation = 1;
};

inline constexpr auto ends_early = "the file ends early";
inline constexpr auto broken_data = "broken image data";

// Asked for its width and height before an image is decoded: throws ImageError to refuse it, and
// may wait until there is memory for it.
using Admit = std::function<void(std::uint64_t width, std::uint64_t height)>;

// Throws ImageError: empty, or more than max_pixels.
void check_size(std::uint64_t width, std::uint64_t height, std::uint64_t max_pixels);

// Throws InputError: the image is empty or its buffer is not of its size.
void check_pixels(const Image& image);

// Resizes twice, not antialiased, for windows to slide over: Python's images.decode.scale.
FittedImage scale(const Image& image, Size first, Size then);

// The bytes of an RGB image of that size.
inline std::size_t rgb_bytes(Size size) {
  return 3 * static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
}

}  // namespace mpm

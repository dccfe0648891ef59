#include "images/formats/raster.hpp"

namespace mpm {

namespace {

// As 128,000,000.
std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t digits = 3; digits < text.size(); digits += 4) {
    text.insert(text.size() - digits, ",");
  }
  return text;
}

}  // namespace

void check_size(std::uint64_t width, std::uint64_t height, std::uint64_t max_pixels) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width == 0 || height == 0) throw ImageError("the header says " + size);
  if (width * height > max_pixels) {
    throw ImageError(size + ", more than the " + with_commas(max_pixels) + " that are decoded",
                     "scale the image down first, or raise max_pixels");
  }
}

}  // namespace mpm

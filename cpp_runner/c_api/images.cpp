#include "c_api/images.hpp"

#include <string>

#include "c_api/errors.hpp"
#include "images/formats/raster.hpp"
#include "images/windows.hpp"

namespace mpm::c_api {

namespace {

// Throws InputError.
ChannelOrder order_of(mpm_channels channels) {
  if (channels == MPM_RGB) return ChannelOrder::rgb;
  if (channels == MPM_BGR) return ChannelOrder::bgr;
  throw InputError("channels: expected MPM_RGB or MPM_BGR, got " + std::to_string(channels));
}

void check_size(std::int32_t height, std::int32_t width) {
  const auto is_side = [](std::int32_t side) { return side >= 1 && side <= largest_side; };
  if (is_side(height) && is_side(width)) return;
  throw InputError("pixels: expected a height and a width from 1 to " +
                   std::to_string(largest_side) + ", got " + std::to_string(height) + " x " +
                   std::to_string(width));
}

void check_row(std::ptrdiff_t row_bytes, std::ptrdiff_t width_bytes) {
  if (row_bytes >= width_bytes || row_bytes <= -width_bytes) return;
  throw InputError(
      "row_bytes: expected " + std::to_string(width_bytes) + " or more, got " +
          std::to_string(row_bytes),
      "say how many bytes lie between the starts of two rows, or 0 where rows follow one another");
}

}  // namespace

std::filesystem::path path_of(const char* path, const char* name) { return &given(path, name); }

std::span<const std::uint8_t> bytes_of(const void* bytes, std::size_t size) {
  if (size == 0) return {};
  return {&given(static_cast<const std::uint8_t*>(bytes), "bytes"), size};
}

Image image_of(const std::uint8_t* pixels, std::int32_t height, std::int32_t width,
               std::ptrdiff_t row_bytes, mpm_channels channels) {
  check_size(height, width);
  Image image{{height, width}, {}, order_of(channels)};
  const std::ptrdiff_t width_bytes = std::ptrdiff_t{3} * width;
  if (row_bytes == 0) row_bytes = width_bytes;
  check_row(row_bytes, width_bytes);
  const std::uint8_t* first = &given(pixels, "pixels");
  image.pixels.reserve(rgb_bytes(image.size));
  for (std::ptrdiff_t row = 0; row < height; ++row) {
    const std::uint8_t* begin = first + row * row_bytes;
    image.pixels.insert(image.pixels.end(), begin, begin + width_bytes);
  }
  return image;
}

}  // namespace mpm::c_api

using namespace mpm::c_api;

mpm_code mpm_images_new(mpm_images** images, mpm_error** error) {
  return made(images, "images", error, [] { return std::make_unique<mpm_images>(); });
}

mpm_code mpm_images_add_file(mpm_images* images, const char* path, mpm_error** error) {
  return guarded(error,
                 [&] { given(images, "images").sources.emplace_back(path_of(path, "path")); });
}

mpm_code mpm_images_add_bytes(mpm_images* images, const void* bytes, size_t size,
                              mpm_error** error) {
  return guarded(error, [&] {
    const std::span<const std::uint8_t> all = bytes_of(bytes, size);
    given(images, "images").sources.emplace_back(std::vector(all.begin(), all.end()));
  });
}

mpm_code mpm_images_add_pixels(mpm_images* images, const uint8_t* pixels, int32_t height,
                               int32_t width, ptrdiff_t row_bytes, mpm_channels channels,
                               mpm_error** error) {
  return guarded(error, [&] {
    given(images, "images")
        .sources.emplace_back(image_of(pixels, height, width, row_bytes, channels));
  });
}

void mpm_images_free(mpm_images* images) { delete images; }

#pragma once

// Image files to pixels, byte for byte as the Python package does it.

#include <cstdint>
#include <filesystem>
#include <span>
#include <variant>
#include <vector>

namespace mpm {

// In pixels.
struct Size {
  int height = 0;
  int width = 0;

  bool operator==(const Size&) const = default;
};

// OpenCV gives bgr.
enum class ChannelOrder { rgb, bgr };

// Pixels as decoders lay them out.
struct Image {
  Size size;
  std::vector<std::uint8_t> pixels;  // (height, width, 3)
  ChannelOrder channels = ChannelOrder::rgb;
};

// An image in any of the ways that it may come: its file, the bytes of one, or its pixels.
using ImageSource = std::variant<std::filesystem::path, std::vector<std::uint8_t>, Image>;

// RGB as the model takes it, at the model's input size or on the way to its windows.
struct FittedImage {
  Size size;
  std::vector<std::uint8_t> planes;  // (3, H, W)
};

// The .jpg, .jpeg and .png files of a folder, sorted by the bytes of their paths, and those in the
// folders inside it where that is asked for; what has a name that begins with a dot is left out.
// One file or pipe is taken whatever its name. Throws InputError: nothing there.
std::vector<std::filesystem::path> find_images(const std::filesystem::path& path,
                                               bool recursive = false);

// Pixels of the largest image that is decoded, unless more are allowed: cameras of 100 megapixels
// give up to 102 million.
inline constexpr int default_max_pixels = 128'000'000;

// Decodes a JPEG or PNG, whatever its name says, with its EXIF orientation applied. Gray is
// replicated, palettes are expanded, alpha is dropped, of 16 bits the high byte is taken, color
// profiles are ignored. Of a JPEG the end of image may be missing. Throws ImageError: unreadable,
// another format, cut off, broken, or more pixels than that.
Image decode(const std::filesystem::path& file, std::int64_t max_pixels = default_max_pixels);
Image decode(std::span<const std::uint8_t> file_bytes,
             std::int64_t max_pixels = default_max_pixels);

// Resizes to the model's input, antialiased; the aspect ratio is not kept. Throws InputError: the
// image is empty or its buffer is not of its size.
FittedImage fit(const Image& image, Size size);

}  // namespace mpm

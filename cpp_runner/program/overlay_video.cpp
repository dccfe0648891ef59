#include "overlay_video.hpp"

#include <algorithm>
#include <cmath>

#include "run/sources/names.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

std::size_t index_of(Size size, int row, int column) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(size.width) +
         static_cast<std::size_t>(column);
}

Image made_even(const Image& picture) {
  const Size size = even(picture.size);
  Image larger{size, std::vector<std::uint8_t>(3 * index_of(size, size.height, 0))};
  auto to = larger.pixels.begin();
  for (int row = 0; row < size.height; ++row) {
    for (int column = 0; column < size.width; ++column) {
      const std::size_t from = index_of(picture.size, std::min(row, picture.size.height - 1),
                                        std::min(column, picture.size.width - 1));
      to = std::copy_n(&picture.pixels[3 * from], 3, to);
    }
  }
  return larger;
}

// planes: (3, height, width).
Image interleaved(const FittedImage& fitted) {
  const std::size_t plane = fitted.planes.size() / 3;
  Image image{fitted.size, std::vector<std::uint8_t>(fitted.planes.size())};
  for (std::size_t pixel = 0; pixel < plane; ++pixel) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      image.pixels[3 * pixel + channel] = fitted.planes[channel * plane + pixel];
    }
  }
  return image;
}

}  // namespace

bool names_a_video(const fs::path& output) {
  const std::string suffix = in_lower_case(output.extension().string());
  std::error_code error;
  return (suffix == ".mp4" || suffix == ".mkv") && !fs::is_directory(output, error);
}

Image overlay(const Image& image, const LabelMap& labels, const std::vector<Color>& palette) {
  Image mixed = image;
  for (std::size_t pixel = 0; pixel < labels.labels.size(); ++pixel) {
    const Color& color = palette.at(labels.labels[pixel]);
    for (std::size_t channel = 0; channel < 3; ++channel) {
      std::uint8_t& value = mixed.pixels[3 * pixel + channel];
      value = static_cast<std::uint8_t>((value + color[channel]) / 2);
    }
  }
  return mixed;
}

Size even(Size size) { return {size.height + size.height % 2, size.width + size.width % 2}; }

Image resized(const Image& picture, Size size) {
  if (picture.size == size) return picture;
  Image larger = made_even(picture);
  return larger.size == size ? larger : interleaved(fit(larger, size));
}

OverlayVideo::OverlayVideo(fs::path path, std::vector<Color> palette)
    : path_(std::move(path)), palette_(std::move(palette)) {}

void OverlayVideo::write(const Image& image, const LabelMap& labels, double seconds) {
  // Whoever throws below leaves none behind: what failed is written to no more.
  std::unique_ptr<VideoFile> file = file_ ? std::move(file_) : begin(even(image.size));
  constexpr double tick = 1.0 / ticks_a_second;
  last_ = std::max<std::int64_t>(std::llrint(seconds / tick), last_ + 1);
  file->write(resized(overlay(image, labels, palette_), size_), last_);
  file_ = std::move(file);
}

void OverlayVideo::close() {
  if (const std::unique_ptr<VideoFile> file = std::move(file_)) file->close();
}

std::unique_ptr<VideoFile> OverlayVideo::begin(Size size) {
  size_ = size;
  return create_video(path_, size);
}

}  // namespace mpm::program

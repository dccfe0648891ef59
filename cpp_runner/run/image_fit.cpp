#include "run/image_fit.hpp"

#include <algorithm>
#include <limits>

#include "images/formats/raster.hpp"
#include "images/windows.hpp"

namespace mpm {

namespace {

Size small(LargeSize size) { return {static_cast<int>(size.height), static_cast<int>(size.width)}; }

std::string text(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + " x " + std::to_string(height);
}

// Refuses an image of which nobody can hold the scaled one.
void check_large(const Image& image, LargeSize large) {
  if (std::max(large.height, large.width) <= largest_side &&
      large.height * large.width <= default_max_pixels) {
    return;
  }
  throw ImageError(text(image.size.width, image.size.height) +
                       " pixels are too narrow to slide over: " + text(large.width, large.height) +
                       " once a window fits",
                   "cut the image into pieces first");
}

FittedImage cut(const FittedImage& image, std::int64_t top, std::int64_t left, Size window) {
  FittedImage part{window, {}};
  part.planes.reserve(rgb_bytes(window));
  for (int channel = 0; channel < 3; ++channel) {
    for (int row = 0; row < window.height; ++row) {
      const std::int64_t above = std::int64_t{channel} * image.size.height + top + row;
      const auto begin = image.planes.begin() + above * image.size.width + left;
      part.planes.insert(part.planes.end(), begin, begin + window.width);
    }
  }
  return part;
}

// The windows of an image, which is of the grid's size.
ImageWindows cut(const FittedImage& image, WindowGrid grid) {
  std::vector<FittedImage> windows;
  for (const std::int64_t top : grid.tops) {
    for (const std::int64_t left : grid.lefts) {
      windows.push_back(cut(image, top, left, grid.window));
    }
  }
  return {std::move(windows), image.size, std::move(grid)};
}

class Resize : public ImageFit {
 public:
  explicit Resize(Size window) : window_(window) {}

  ImageWindows fit(const Image& image) const override {
    return {{mpm::fit(image, window_)}, window_, std::nullopt};
  }

 private:
  const Size window_;
};

class Slide : public ImageFit {
 public:
  Slide(Size window, int stride, int short_side, double max_ratio)
      : window_(window), stride_(stride), short_side_(short_side), max_ratio_(max_ratio) {}

  ImageWindows fit(const Image& image) const override {
    check_pixels(image);
    const LargeSize size = scaled_size(image.size, short_side_, max_ratio_);
    const LargeSize large = size_for_windows(size, window_);
    check_large(image, large);
    const FittedImage resized = scale(image, small(size), small(large));
    return cut(resized, lay_windows(resized.size, window_, stride_));
  }

 private:
  const Size window_;
  const int stride_;
  const int short_side_;
  const double max_ratio_;
};

class SlideEvenly : public ImageFit {
 public:
  explicit SlideEvenly(Size window) : window_(window) {}

  ImageWindows fit(const Image& image) const override {
    check_pixels(image);
    const LargeSize size = size_of_windows({image.size.height, image.size.width}, window_);
    check_large(image, size);
    const FittedImage resized = mpm::fit(image, small(size));
    return cut(resized, lay_windows_evenly(resized.size, window_));
  }

 private:
  const Size window_;
};

}  // namespace

std::unique_ptr<const ImageFit> make_image_fit(const InputInfo& input, std::optional<int> stride) {
  const Size window{input.height, input.width};
  if (stride && input.fit != "slide") {
    throw InputError(
        "stride: expected none with fit '" + input.fit + "', got " + std::to_string(*stride),
        "build the artifact with --set input.fit=slide");
  }
  if (input.fit == "resize") return std::make_unique<Resize>(window);
  if (input.fit == "slide_evenly") return std::make_unique<SlideEvenly>(window);
  const int largest = std::min(window.height, window.width);
  if (stride && (*stride < 1 || *stride > largest)) {
    throw InputError("stride: expected 1 to " + std::to_string(largest) +
                     ", a window's side, got " + std::to_string(*stride));
  }
  return std::make_unique<Slide>(window, stride.value_or(input.stride.value()),
                                 input.short_side.value(), input.max_ratio.value());
}

}  // namespace mpm

#pragma once

// How an image of any size becomes what the model takes: the ways that input.fit names.
//
//   "resize"         the whole image as one window, antialiased; the aspect ratio is not kept
//   "slide"          the image at its aspect ratio, windows of the input's size over all of it
//   "slide_evenly"   the same, with the image scaled so that windows lie along one axis alone

#include <memory>
#include <optional>

#include "mpm_runner/manifest.hpp"
#include "mpm_runner/windows.hpp"

namespace mpm {

// One way, with its measures.
class ImageFit {
 public:
  virtual ~ImageFit() = default;

  // Throws InputError: the image is empty or its buffer is not of its size; ImageError: it is too
  // narrow.
  virtual ImageWindows fit(const Image& image) const = 0;
};

// The way that a manifest asks for. Throws InputError: a stride where nothing slides, or one that
// leaves gaps between windows.
std::unique_ptr<const ImageFit> make_image_fit(const InputInfo& input, std::optional<int> stride);

}  // namespace mpm

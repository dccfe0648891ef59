#include <ATen/core/Tensor.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <c10/core/InferenceMode.h>

#include "images/formats/raster.hpp"
#include "support/threads.hpp"

namespace mpm {

namespace {

// Of aten's kernels the uint8 ones, on channels-last memory: these give equal bytes on every
// processor. Pixels go through them as (1, 3, height, width) with that memory.

at::Tensor to_tensor(const Image& image) {
  const at::Tensor rows =  // (height, width, 3)
      at::from_blob(const_cast<std::uint8_t*>(image.pixels.data()),
                    {image.size.height, image.size.width, 3}, at::kByte);
  const bool is_rgb = image.channels == ChannelOrder::rgb;
  return (is_rgb ? rows : rows.flip(-1)).permute({2, 0, 1}).unsqueeze(0);
}

FittedImage to_planes(const at::Tensor& image) {
  const at::Tensor planes = image.contiguous();
  const std::uint8_t* begin = planes.const_data_ptr<std::uint8_t>();
  const Size size{static_cast<int>(image.size(2)), static_cast<int>(image.size(3))};
  return {size, {begin, begin + planes.numel()}};
}

bool has_size(const at::Tensor& image, Size size) {
  return image.size(2) == size.height && image.size(3) == size.width;
}

at::Tensor scale(const at::Tensor& image, Size size) {
  if (has_size(image, size)) return image;
  return at::upsample_bilinear2d(image.contiguous(at::MemoryFormat::ChannelsLast),
                                 {size.height, size.width}, false);
}

}  // namespace

void check_pixels(const Image& image) {
  if (image.size.height < 1 || image.size.width < 1 ||
      image.pixels.size() != rgb_bytes(image.size)) {
    throw InputError("image: expected (height, width, 3) pixels, got " +
                     std::to_string(image.size.height) + " x " + std::to_string(image.size.width) +
                     " in " + std::to_string(image.pixels.size()) + " bytes");
  }
}

FittedImage fit(const Image& image, Size size) {
  check_pixels(image);
  const OneThread one;
  const c10::InferenceMode inference;
  const at::Tensor pixels = to_tensor(image);
  if (has_size(pixels, size)) return to_planes(pixels);
  return to_planes(at::_upsample_bilinear2d_aa(pixels, {size.height, size.width}, false));
}

FittedImage scale(const Image& image, Size first, Size then) {
  const OneThread one;
  const c10::InferenceMode inference;
  return to_planes(scale(scale(to_tensor(image), first), then));
}

}  // namespace mpm

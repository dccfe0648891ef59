#include <ATen/core/Tensor.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include "images/raster.hpp"

namespace mpm {

namespace {

FittedImage to_planes(const Image& image) {
  FittedImage fitted{image.size, std::vector<std::uint8_t>(image.pixels.size())};
  const std::uint8_t* pixels = image.pixels.data();
  const std::size_t plane = fitted.planes.size() / 3;
  std::uint8_t* red = fitted.planes.data();
  std::uint8_t* green = red + plane;
  std::uint8_t* blue = green + plane;
  for (std::size_t i = 0; i < plane; ++i) {
    red[i] = pixels[3 * i];
    green[i] = pixels[3 * i + 1];
    blue[i] = pixels[3 * i + 2];
  }
  return fitted;
}

}  // namespace

FittedImage fit(const Image& image, Size size) {
  if (image.size.height < 1 || image.size.width < 1 ||
      image.pixels.size() != rgb_bytes(image.size)) {
    throw InputError("image: expected (height, width, 3) pixels, got " +
                     std::to_string(image.size.height) + " x " + std::to_string(image.size.width) +
                     " in " + std::to_string(image.pixels.size()) + " bytes");
  }
  if (image.size == size) return to_planes(image);

  // aten's uint8 kernel on channels-last memory gives equal bytes on every processor.
  const c10::InferenceMode inference;
  const at::Tensor rows =  // (height, width, 3)
      at::from_blob(const_cast<std::uint8_t*>(image.pixels.data()),
                    {image.size.height, image.size.width, 3}, at::kByte);
  const at::Tensor batch = rows.permute({2, 0, 1}).unsqueeze(0);
  const at::Tensor resized =  // (1, 3, H, W)
      at::_upsample_bilinear2d_aa(batch, {size.height, size.width}, false);
  const at::Tensor planes = resized.contiguous();  // on most processors it already is
  const std::uint8_t* begin = planes.const_data_ptr<std::uint8_t>();
  return {size, {begin, begin + planes.numel()}};
}

}  // namespace mpm

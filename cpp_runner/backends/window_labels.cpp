#include "backends/window_labels.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

namespace mpm {

namespace {

constexpr std::int64_t most_elements = 1 << 27;  // of the scores that are worked on at once

// The two samples of one axis that each pixel lies between, and the weight of the latter.
struct Samples {
  at::Tensor low, high, weight;  // (fine,)
};

Samples samples(std::int64_t coarse, std::int64_t fine, at::Device device) {
  const double step = static_cast<double>(coarse) / static_cast<double>(fine);
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const at::Tensor centers = at::arange(fine, options) + 0.5;
  const at::Tensor source = (centers * step - 0.5).clamp_min(0);
  const at::Tensor low = source.to(at::kLong).clamp_max(coarse - 1);
  return {low, (low + 1).clamp_max(coarse - 1), source - low};
}

// Bilinear, rows before columns: (C, h, w) to (C, *size).
at::Tensor resize(const at::Tensor& values, Size size) {
  const auto [top, bottom, down] = samples(values.size(1), size.height, values.device());
  const auto [left, right, across] = samples(values.size(2), size.width, values.device());
  const at::Tensor below = down.unsqueeze(1);
  const at::Tensor rows =  // (C, height, w)
      values.index_select(1, top) * (1 - below) + values.index_select(1, bottom) * below;
  return rows.index_select(2, left) * (1 - across) + rows.index_select(2, right) * across;
}

std::int64_t pixels(Size size) { return std::int64_t{size.height} * size.width; }

// So many classes are worked on at once.
std::int64_t classes_at_once(std::int64_t classes, std::int64_t pixels) {
  return std::clamp<std::int64_t>(most_elements / pixels, 1, classes);
}

// (windows, C, h, w) to the means at the pixels of the image: (C, *grid.size).
at::Tensor average(const at::Tensor& scores, const WindowGrid& grid) {
  at::Tensor sums =
      at::zeros({scores.size(1), grid.size.height, grid.size.width}, scores.options());
  at::Tensor windows = at::zeros({grid.size.height, grid.size.width}, scores.options());
  std::int64_t window = 0;
  for (const std::int64_t top : grid.tops) {
    for (const std::int64_t left : grid.lefts) {
      const auto there = [&](const at::Tensor& image) {
        return image.narrow(-2, top, grid.window.height).narrow(-1, left, grid.window.width);
      };
      there(sums).add_(resize(scores[window++], grid.window));
      there(windows).add_(1);
    }
  }
  return sums.div_(windows);
}

}  // namespace

at::Tensor window_labels(const at::Tensor& scores, const WindowGrid& grid, Size size) {
  const std::int64_t classes = scores.size(1);
  const std::int64_t some = classes_at_once(classes, std::max(pixels(grid.size), pixels(size)));
  at::Tensor best = at::full({size.height, size.width}, -std::numeric_limits<float>::infinity(),
                             scores.options());
  at::Tensor labels =
      at::zeros({size.height, size.width}, at::TensorOptions(at::kLong).device(scores.device()));
  for (std::int64_t first = 0; first < classes; first += some) {
    const at::Tensor part = scores.slice(1, first, first + some);
    const auto [value, label] = resize(average(part, grid), size).max(0);
    const at::Tensor is_better = value > best;
    best = at::where(is_better, value, best);
    labels = at::where(is_better, label + first, labels);
  }
  return labels.to(classes <= 256 ? at::kByte : at::kShort);
}

at::Tensor window_means(const at::Tensor& scores, const WindowGrid& grid) {
  const std::int64_t classes = scores.size(1);
  const std::int64_t some = classes_at_once(classes, pixels(grid.size));
  at::Tensor means = at::empty({classes, grid.size.height, grid.size.width}, scores.options());
  for (std::int64_t first = 0; first < classes; first += some) {
    means.slice(0, first, first + some).copy_(average(scores.slice(1, first, first + some), grid));
  }
  return means;
}

}  // namespace mpm

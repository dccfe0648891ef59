#pragma once

#include <ATen/core/Tensor.h>

#include "mpm_runner/windows.hpp"

namespace mpm {

// What the native kernel does, in aten's operators and to the bit: for where the scores lie on a
// GPU. scores: (windows, K, h, w) float32, in the grid's order. Gives (height, width), uint8, or
// int16 where K > 256.
at::Tensor window_labels(const at::Tensor& scores, const WindowGrid& grid, Size size);

// What that resizes: the mean of the windows' scores at each pixel of their image, (K, *grid.size)
// float32. Some classes at a time, so that it takes little more memory than what it gives.
at::Tensor window_means(const at::Tensor& scores, const WindowGrid& grid);

}  // namespace mpm

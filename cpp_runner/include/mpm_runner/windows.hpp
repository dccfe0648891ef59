#pragma once

// Where windows lie on an image that is larger than the model's input, as the Python package lays
// them.
//
//   0        s        2s    right edge       a stride apart: windows at 0, s, 2s, ... and one flush
//   |--------+--------|                      with the far edge, in both axes
//            |--------+--------|
//                           |--------|
//
//   0     1/2 of the way    right edge       evenly: as few windows as cover the axis, the last one
//   |-----------|                            flush with the far edge
//            |-----------|
//                     |-----------|
//
// Where two lie on a pixel, the mean of their scores counts.

#include <cstdint>
#include <optional>
#include <vector>

#include "mpm_runner/image.hpp"

namespace mpm {

// The windows of one image: at every top with every left, row by row.
struct WindowGrid {
  Size size;  // of the image, which is no smaller than a window
  Size window;
  std::vector<std::int64_t> tops;  // first rows, ascending from 0
  std::vector<std::int64_t> lefts;

  std::size_t windows() const { return tops.size() * lefts.size(); }
};

// Covers an image with windows; it is no smaller than a window. stride: from one window to the next
// in both axes, at most a window's shorter side.
WindowGrid lay_windows(Size size, Size window, int stride);

// Covers an image, no smaller than a window, with as few windows as it takes along each axis.
WindowGrid lay_windows_evenly(Size size, Size window);

// An image as the model takes it.
struct ImageWindows {
  std::vector<FittedImage> windows;  // of the model's input size
  Size size;                         // of the resized image
  std::optional<WindowGrid> grid;    // where they lie; none where the one window is the whole image
};

}  // namespace mpm

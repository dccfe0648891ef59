#pragma once

#include <cstdint>

#include "mpm_runner/windows.hpp"

namespace mpm {

// Of a scaled image's sides, and of its long side over its short one: what whole numbers here and
// the label map's kernel can count in.
inline constexpr int largest_side = 1 << 20;
inline constexpr double largest_ratio = 1000;

// A Size that may be too large for one.
struct LargeSize {
  std::int64_t height;
  std::int64_t width;
};

// Scales an image until its short side is short_side, or its long side short_side * max_ratio, cut
// to a whole number. Both sides are rounded, halves up.
LargeSize scaled_size(Size size, int short_side, double max_ratio);

// Scales an image up until a window lies on it in both axes; one that is large enough stays.
LargeSize size_for_windows(LargeSize size, Size window);

// Scales an image until a window lies on it in both axes, and exactly in one; sides are cut.
LargeSize size_of_windows(LargeSize size, Size window);

}  // namespace mpm

#pragma once

#include <algorithm>
#include <cstdint>

namespace mpm::kernels {

// Between which two samples of one axis a pixel lies: pixel centres aligned, and beyond the outer
// centres the outer sample.
struct Sample {
  std::int64_t low, high;  // alike beyond the last one
  float high_weight;       // the other's is 1 less this
};

// How far it is from pixel to pixel, counted in samples.
inline float sample_step(std::int64_t coarse, std::int64_t fine) {
  return static_cast<float>(coarse) / static_cast<float>(fine);
}

inline Sample sample_at(std::int64_t pixel, std::int64_t coarse, float step) {
  const float source = std::max((static_cast<float>(pixel) + 0.5F) * step - 0.5F, 0.0F);
  const auto low = std::min(static_cast<std::int64_t>(source), coarse - 1);
  return {low, std::min(low + 1, coarse - 1), source - static_cast<float>(low)};
}

}  // namespace mpm::kernels

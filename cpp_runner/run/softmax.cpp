#include <algorithm>
#include <cmath>
#include <limits>

#include "mpm_runner/result.hpp"

namespace mpm {

ScoreMap softmax(const ScoreMap& scores) {
  ScoreMap shares = scores;
  const auto points =
      static_cast<std::size_t>(scores.size.height) * static_cast<std::size_t>(scores.size.width);
  std::vector<float> best(points, -std::numeric_limits<float>::infinity());
  std::vector<float> sums(points);
  // One class after the other, as they lie in memory.
  const auto for_each = [&](auto change) {
    for (std::size_t first = 0; first < shares.values.size(); first += points) {
      for (std::size_t i = 0; i < points; ++i) change(shares.values[first + i], best[i], sums[i]);
    }
  };
  for_each([](float& value, float& most, float&) { most = std::max(most, value); });
  // What is taken from all cancels out, and keeps exp from overflowing.
  for_each([](float& value, float& most, float& sum) { sum += value = std::exp(value - most); });
  for_each([](float& value, float&, float& sum) { value /= sum; });
  return shares;
}

}  // namespace mpm

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "mpm_runner/result.hpp"

namespace mpm {

namespace {

std::size_t points_of(const ScoreMap& scores) {
  return static_cast<std::size_t>(scores.size.height) * static_cast<std::size_t>(scores.size.width);
}

// Calls change(value, of_point) with each value and what is kept for its point of the grid, one
// class after the other, as they lie in memory.
void for_each(ScoreMap& scores, std::vector<float>& of_points, auto change) {
  for (std::size_t first = 0; first < scores.values.size(); first += of_points.size()) {
    for (std::size_t i = 0; i < of_points.size(); ++i) {
      change(scores.values[first + i], of_points[i]);
    }
  }
}

}  // namespace

ScoreMap shares(ScoreMap scores) {
  std::vector<float> sums(points_of(scores));
  for_each(scores, sums, [](float value, float& sum) { sum += value; });
  for_each(scores, sums, [](float& value, float sum) {
    value /= std::max(sum, std::numeric_limits<float>::min());
  });
  return scores;
}

ScoreMap softmax(ScoreMap scores) {
  std::vector<float> best(points_of(scores), -std::numeric_limits<float>::infinity());
  for_each(scores, best, [](float value, float& most) { most = std::max(most, value); });
  // What is taken from all cancels out, and keeps exp from overflowing.
  for_each(scores, best, [](float& value, float most) { value = std::exp(value - most); });
  return shares(std::move(scores));
}

}  // namespace mpm

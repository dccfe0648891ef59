#include "images/windows.hpp"

#include <algorithm>

namespace mpm {

namespace {

// A ratio of whole numbers, so that nothing is rounded apart from Python.
struct Scale {
  std::int64_t to;
  std::int64_t from;

  bool operator<(const Scale& other) const { return to * other.from < other.to * from; }
};

std::int64_t rounded(std::int64_t side, Scale scale) {
  return std::max<std::int64_t>(1, (2 * side * scale.to + scale.from) / (2 * scale.from));
}

std::vector<std::int64_t> starts(std::int64_t side, std::int64_t window, int stride) {
  std::vector<std::int64_t> positions;
  for (std::int64_t at = 0; at < side - window; at += stride) positions.push_back(at);
  positions.push_back(side - window);
  return positions;
}

std::vector<std::int64_t> even_starts(std::int64_t side, std::int64_t window) {
  const std::int64_t steps = (side - 1) / window;  // between as few windows as cover the side
  std::vector<std::int64_t> positions;
  for (std::int64_t step = 0; step < steps; ++step) {
    positions.push_back(step * (side - window) / steps);
  }
  positions.push_back(side - window);
  return positions;
}

}  // namespace

WindowGrid lay_windows(Size size, Size window, int stride) {
  return {size, window, starts(size.height, window.height, stride),
          starts(size.width, window.width, stride)};
}

WindowGrid lay_windows_evenly(Size size, Size window) {
  return {size, window, even_starts(size.height, window.height),
          even_starts(size.width, window.width)};
}

LargeSize scaled_size(Size size, int short_side, double max_ratio) {
  const auto [shorter, longer] = std::minmax(size.height, size.width);
  const auto most = static_cast<std::int64_t>(short_side * max_ratio);
  const Scale scale = std::min(Scale{short_side, shorter}, Scale{most, longer});
  return {rounded(size.height, scale), rounded(size.width, scale)};
}

LargeSize size_for_windows(LargeSize size, Size window) {
  const bool is_large = size.height >= window.height && size.width >= window.width;
  return is_large ? size : size_of_windows(size, window);
}

LargeSize size_of_windows(LargeSize size, Size window) {
  const Scale scale = std::max(Scale{window.height, size.height}, Scale{window.width, size.width});
  return {size.height * scale.to / scale.from, size.width * scale.to / scale.from};
}

}  // namespace mpm

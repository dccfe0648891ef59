#include "statistics.hpp"

#include <algorithm>
#include <cmath>

namespace mpm::program {

namespace {

constexpr std::size_t samples_for_p99 = 100;

}  // namespace

double quantile(std::vector<double> samples, double share) {
  std::sort(samples.begin(), samples.end());
  const double position = share * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, samples.size() - 1);
  return std::lerp(samples[below], samples[above], position - static_cast<double>(below));
}

Percentiles percentiles(const std::vector<double>& samples) {
  Percentiles result{quantile(samples, 0.5), quantile(samples, 0.9), std::nullopt};
  if (samples.size() >= samples_for_p99) result.p99 = quantile(samples, 0.99);
  return result;
}

TokensKept summarize_tokens(const std::vector<std::vector<int>>& tokens_kept) {
  TokensKept summary;
  if (tokens_kept.empty()) return summary;
  summary.min = summary.max = tokens_kept.front();
  summary.mean.resize(summary.min.size());
  for (const std::vector<int>& window : tokens_kept) {
    for (std::size_t merge = 0; merge < window.size(); ++merge) {
      summary.mean[merge] += window[merge] / static_cast<double>(tokens_kept.size());
      summary.min[merge] = std::min(summary.min[merge], window[merge]);
      summary.max[merge] = std::max(summary.max[merge], window[merge]);
    }
  }
  return summary;
}

}  // namespace mpm::program

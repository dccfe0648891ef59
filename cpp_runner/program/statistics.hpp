#pragma once

#include <optional>
#include <vector>

namespace mpm::program {

// Of latencies, in milliseconds; p99 is left out under 100 samples.
struct Percentiles {
  double p50;
  double p90;
  std::optional<double> p99;
};

// Over the images' windows, one number a merge.
struct TokensKept {
  std::vector<double> mean;
  std::vector<int> min;
  std::vector<int> max;
};

// share: 0 to 1; linear between the two nearest samples. At least one sample.
double quantile(std::vector<double> samples, double share);

Percentiles percentiles(const std::vector<double>& samples);

// tokens_kept: one row a window, one number a merge.
TokensKept summarize_tokens(const std::vector<std::vector<int>>& tokens_kept);

}  // namespace mpm::program

#pragma once

#include <vector>

#include "json.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/stream.hpp"

namespace mpm::program {

// What the end-to-end pass keeps of each result: numbers, no pictures.
class Tally {
 public:
  explicit Tally(const Manifest& manifest) : manifest_(manifest) {}

  void add(const Stream::Item& item);
  // For the worker's answer; stages are means an image.
  Json to_json() const;

 private:
  void add(const Result& result);

  const Manifest& manifest_;
  std::vector<double> latencies_ms_;
  StageTimes stages_ms_;  // summed, an image's share of what its batch did together
  std::vector<std::vector<int>> tokens_kept_;  // of each window
  double gflops_ = 0;                          // summed
  std::vector<Skipped> skipped_;
};

}  // namespace mpm::program

#pragma once

// What a bench measured, as docs/formats/report.md writes it down.

#include <optional>
#include <string>
#include <vector>

#include "json.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/result.hpp"
#include "statistics.hpp"
#include "support/contention.hpp"

namespace mpm::program {

// Which artifact was measured, and on what.
struct ArtifactInfo {
  std::string path;
  std::string device;
  Manifest manifest;
};

// Where, with what and when.
struct HostInfo {
  std::string cpu;
  int cores;
  int threads;  // of one model call
  std::optional<std::string> gpu;
  std::string os;
  std::string started;  // UTC, ISO 8601
};

// One artifact at one batch size.
struct Measurement {
  int batch_size;
  int images;         // different ones of one end-to-end pass
  int warmup_images;  // run before timing
  double end_to_end_fps;
  double model_fps;
  Percentiles latency_ms;
  StageTimes stages_ms;  // mean an image
  TokensKept tokens_kept;
  double gflops;
  double gflops_full_token;
  double peak_memory_mib;  // the most that the process had resident until then
  Contention contention;   // mean of the passes
};

// A batch size that was not measured, and why.
struct LeftOut {
  int batch_size;
  std::string reason;
};

// Of one artifact: a comparison of two is for `mpm-deploy bench` to make.
struct Report {
  ArtifactInfo artifact;
  HostInfo host;
  std::vector<Measurement> results;
  std::vector<LeftOut> left_out;
  std::vector<Skipped> skipped;
};

Json to_json(const Report& report);

}  // namespace mpm::program

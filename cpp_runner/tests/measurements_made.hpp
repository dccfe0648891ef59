#pragma once

#include "report.hpp"

namespace mpm::tests {

inline program::Measurement make_measurement() {
  return {.batch_size = 32,
          .images = 64,
          .warmup_images = 96,
          .end_to_end_fps = 7.5,
          .model_fps = 12.345,
          .latency_ms = {100, 200, std::nullopt},
          .stages_ms = {1, 2, 3, 4, 5},
          .tokens_kept = {{700.5, 400.25}, {600, 300}, {800, 500}},
          .gflops = 4.5,
          .gflops_full_token = 9,
          .peak_memory_mib = 321,
          .contention = {0.1, 15, 0}};
}

inline program::ArtifactInfo make_artifact_info() {
  program::ArtifactInfo artifact{"a.pt", "cpu", {}};
  artifact.manifest.merge.method = "mpm";
  artifact.manifest.merge.options = "{}";
  artifact.manifest.merge.blocks = {2, 5};
  return artifact;
}

}  // namespace mpm::tests

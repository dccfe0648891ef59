#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>

#include "host.hpp"
#include "mpm_runner/image.hpp"
#include "mpm_runner/manifest.hpp"

namespace mpm {

struct ModelOutput {
  at::Tensor scores;      // (B, K, h, w) float32
  at::Tensor merge_maps;  // (B, M, h * w) int32
};

// The two functions of a loaded artifact. A member answers for as many images as the artifact takes
// at once; any batch may be asked for here.
class Program {
 public:
  explicit Program(BatchRange batch) : batch_(batch) {}
  virtual ~Program() = default;

  // images: (B, 3, H, W) uint8, contiguous, on the artifact's device.
  ModelOutput scores(const at::Tensor& images) const;

  // scores: (B, K, h, w) float32. Gives (B, height, width), uint8, or int16 where K > 256.
  at::Tensor labels(const at::Tensor& scores, Size size) const;

 private:
  // What these get is contiguous.
  virtual ModelOutput run_scores(const at::Tensor& images) const = 0;
  virtual at::Tensor run_labels(const at::Tensor& scores, Size size) const = 0;

  BatchRange batch_;
};

// Opens an artifact that was read and whose host was checked, with the backend its manifest names.
// Throws ArtifactError.
std::unique_ptr<Program> load_program(const std::filesystem::path& artifact,
                                      const Manifest& manifest, const Device& device);

// The members. One that this build leaves out throws HostError.
std::unique_ptr<Program> load_torchscript(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device);
std::unique_ptr<Program> load_aotinductor(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device);

}  // namespace mpm

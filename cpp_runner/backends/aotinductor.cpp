// AOTInductor: a .pt2 with the entries scores(images) and labels(scores, canvas).

#include <ATen/ops/zeros.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "backends/program.hpp"
#include "mpm_runner/error.hpp"
#include "support/temporary_folder.hpp"

namespace mpm {

namespace {

using torch::inductor::AOTIModelPackageLoader;

class AotInductorProgram : public Program {
 public:
  AotInductorProgram(const std::string& artifact, const Manifest& manifest,
                     const at::Device& device, int threads)
      : Program(manifest.batch, threads),
        order_(manifest),
        scores_(artifact, "scores", false, runners(device, threads), device.index()),
        labels_(artifact, "labels", false, 1, device.index()),
        canvas_(at::zeros({1, 1}, at::TensorOptions(device).dtype(at::kByte))) {}

 private:
  // As many calls as this may run at once; they share the weights.
  static std::size_t runners(const at::Device& device, int threads) {
    return device.is_cpu() ? static_cast<std::size_t>(threads) : 1;
  }

  ModelOutput run_scores(const at::Tensor& images) const override {
    const std::vector<at::Tensor> outputs = scores_.run({images});
    return {outputs.at(order_.scores), outputs.at(order_.merge_maps)};
  }

  // Integers are frozen at export, so the size goes as the shape of a tensor that has no content:
  // one element, repeated with zero strides.
  at::Tensor run_labels(const at::Tensor& scores, Size size) const override {
    return labels_.run({scores, canvas_.expand({size.height, size.width})}).at(0);
  }

  const OutputOrder order_;
  mutable AOTIModelPackageLoader scores_;
  mutable AOTIModelPackageLoader labels_;
  at::Tensor canvas_;  // (1, 1) uint8
};

// Refuses a temporary folder into which a file cannot have been unpacked and run.
void check_unpacked(const std::filesystem::path& artifact) {
  try {
    check_temporary_folder(std::filesystem::file_size(artifact));
  } catch (const HostError& error) {
    throw HostError(artifact.string() + ": cannot be unpacked: " + error.problem(), error.hint());
  }
}

}  // namespace

std::unique_ptr<Program> load_aotinductor(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads) {
  try {
    return std::make_unique<AotInductorProgram>(artifact.string(), manifest, device, threads);
  } catch (const std::exception&) {
    check_unpacked(artifact);
    throw;
  }
}

}  // namespace mpm

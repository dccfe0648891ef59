// TorchScript: a .pt with the methods scores(images) and labels(scores, height, width).

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "backends/program.hpp"

namespace mpm {

namespace {

class TorchScriptProgram : public Program {
 public:
  TorchScriptProgram(const torch::jit::Module& module, const Manifest& manifest, int threads)
      : Program(manifest.batch, threads),
        order_(manifest),
        scores_(module.get_method("scores")),
        labels_(module.get_method("labels")) {}

 private:
  ModelOutput run_scores(const at::Tensor& images) const override {
    const auto output = scores_({images}).toTuple();
    const auto& given = output->elements();
    return {given.at(order_.scores).toTensor(), given.at(order_.merge_maps).toTensor()};
  }

  at::Tensor run_labels(const at::Tensor& scores, Size size) const override {
    return labels_({scores, size.height, size.width}).toTensor();
  }

  const OutputOrder order_;
  torch::jit::Method scores_;
  torch::jit::Method labels_;
};

}  // namespace

std::unique_ptr<Program> load_torchscript(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads) {
  // The profiling executor specializes to the sizes it has seen; after a merge every image brings
  // new ones, and each would be slow once (pytorch/pytorch#57894). Process-wide: there is no switch
  // for one module.
  torch::jit::getProfilingMode() = false;
  torch::jit::Module module = torch::jit::load(artifact.string(), device);
  module.eval();
  return std::make_unique<TorchScriptProgram>(module, manifest, threads);
}

}  // namespace mpm

// TorchScript: a .pt with the methods scores(images) and labels(scores, height, width).

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "backends/opened_once.hpp"
#include "backends/program.hpp"

namespace mpm {

namespace {

class TorchScriptProgram : public Program {
 public:
  TorchScriptProgram(std::shared_ptr<const torch::jit::Module> module, const Manifest& manifest,
                     int threads)
      : Program(manifest.batch, threads),
        order_(manifest),
        module_(std::move(module)),
        scores_(module_->get_method("scores")),
        labels_(module_->get_method("labels")) {}

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
  const std::shared_ptr<const torch::jit::Module> module_;
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
  const auto open = [&] {
    const auto module =
        std::make_shared<torch::jit::Module>(torch::jit::load(artifact.string(), device));
    module->eval();
    return module;
  };
  auto module = std::static_pointer_cast<torch::jit::Module>(
      opened_once(manifest.payload_sha256, "module on " + device.str(), open));
  return std::make_unique<TorchScriptProgram>(std::move(module), manifest, threads);
}

}  // namespace mpm

// TorchScript: a .pt with the methods scores(images) and labels(scores, height, width).

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "artifact/archive.hpp"
#include "backends/opened_once.hpp"
#include "backends/program.hpp"

namespace mpm {

namespace {

// A module, and what is called in it.
struct Methods {
  torch::jit::Module module;
  torch::jit::Method scores = module.get_method("scores");
  torch::jit::Method labels = module.get_method("labels");
};

// Loads a copy that nobody changes: libtorch reads records in an order of its own.
std::shared_ptr<void> open_module(const std::filesystem::path& artifact,
                                  const std::string& payload_sha256, const at::Device& device) {
  std::istringstream copy = copy_checked(artifact, payload_sha256);
  torch::jit::Module module = torch::jit::load(copy, device);
  module.eval();
  return std::make_shared<Methods>(Methods{std::move(module)});
}

class TorchScriptProgram : public Program {
 public:
  TorchScriptProgram(const std::filesystem::path& artifact, const Manifest& manifest,
                     const at::Device& device, int threads)
      : Program(manifest.batch, threads),
        order_(manifest),
        methods_(manifest.payload_sha256, "module on " + device.str(),
                 told_of(artifact, manifest,
                         [=, hash = manifest.payload_sha256] {
                           return open_module(artifact, hash, device);
                         }),
                 [&] { Archive(artifact).check_payload(manifest.payload_sha256); }) {}

 private:
  ModelOutput run_scores(const at::Tensor& images) const override {
    const auto output =
        methods_.call<Methods>([&](Methods& its) { return its.scores({images}).toTuple(); });
    const auto& given = output->elements();
    return {given.at(order_.scores).toTensor(), given.at(order_.merge_maps).toTensor()};
  }

  at::Tensor run_labels(const at::Tensor& scores, Size size) const override {
    return methods_.call<Methods>(
        [&](Methods& its) { return its.labels({scores, size.height, size.width}).toTensor(); });
  }

  const OutputOrder order_;
  const OpenedOnce methods_;
};

}  // namespace

std::unique_ptr<Program> load_torchscript(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads) {
  // The profiling executor specializes to the sizes it has seen; after a merge every image brings
  // new ones, and each would be slow once (pytorch/pytorch#57894). Process-wide: there is no switch
  // for one module.
  torch::jit::getProfilingMode() = false;
  return std::make_unique<TorchScriptProgram>(artifact, manifest, device, threads);
}

}  // namespace mpm

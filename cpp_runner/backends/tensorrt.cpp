// TensorRT: engines/FLAVOR-VERSION-CAPABILITY-MACHINE/0.engine, 1.engine and so on, made of the
// segments that lie beside them, which on a CPU ONNX Runtime computes itself.

#include <ATen/ops/stack.h>

#include "artifact/archive.hpp"
#include "artifact/cuda_driver.hpp"
#include "artifact/host.hpp"
#include "backends/engine_chain.hpp"
#include "backends/engine_info.hpp"
#include "backends/program.hpp"
#include "backends/tensorrt_library.hpp"
#include "backends/window_labels.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

// The engines that the machine runs, which has the GPU.
EngineInfo engine_here(const std::filesystem::path& artifact, const Manifest& manifest,
                       int gpu_index) {
  const std::vector<EngineInfo> engines = engines_of(artifact, manifest);
  const std::optional<Gpu> gpu = find_gpu(gpu_index);
  const TensorRtLibrary& library = tensorrt_library(artifact);
  const std::array<int, 2> capability = gpu ? gpu->capability : std::array{0, 0};
  return choose(engines, {capability, machine_name(), library.versions, library.missing}, artifact);
}

std::string cure(const std::filesystem::path& artifact) {
  return "make its engine anew: mpm-deploy engine " + artifact.string();
}

class TensorRtProgram : public Program {
 public:
  TensorRtProgram(const std::filesystem::path& artifact, const Manifest& manifest,
                  const at::Device& device, int threads, const EngineInfo& engine)
      : Program(manifest.batch, threads),
        artifact_(artifact),
        patches_(manifest.patches()),
        chain_(manifest.payload_sha256, engine.folder() + " on " + device.str(),
               told_of(artifact, manifest,
                       [=, hash = manifest.payload_sha256] {
                         const auto open = [&](const std::string& bytes) {
                           return open_engine(bytes, device);
                         };
                         return std::make_shared<EngineChain>(
                             open_engines(artifact, hash, engine, open), device);
                       },
                       {engine.library(), "install that", cure(artifact)}),
               [&] { Archive(artifact).check_payload(manifest.payload_sha256); }) {}

 private:
  ModelOutput run_scores(const at::Tensor& images) const override {
    const auto run = [&](EngineChain& chain) { return chain.run(images, patches_); };
    return run_told(
        artifact_, [&] { return chain_.call<EngineChain>(run); },
        cure(artifact_) + "; and please report it");
  }

  // An image is one window, as large as its label map.
  at::Tensor run_labels(const at::Tensor& scores, Size size) const override {
    const WindowGrid whole{.size = size, .window = size, .tops = {0}, .lefts = {0}};
    std::vector<at::Tensor> labels;
    for (const at::Tensor& image : scores.split(1))
      labels.push_back(mpm::window_labels(image, whole, size));
    return at::stack(labels);
  }

  const std::filesystem::path artifact_;
  const std::int64_t patches_;
  const OpenedOnce chain_;
};

}  // namespace

void check_engines(const std::filesystem::path& artifact, const Manifest& manifest,
                   const Device& device) {
  if (device.is_cuda) {
    engine_here(artifact, manifest, device.index);
    return;
  }
  if (manifest.requires_.dtype == "bfloat16") {
    throw HostError(artifact.string() +
                        ": its segments are in bfloat16, of which ONNX Runtime has no products "
                        "on a CPU",
                    "run it with `mpm-deploy run`, which computes them in float32 there");
  }
  check_providers(artifact, manifest, device);
}

std::unique_ptr<Program> load_tensorrt(const std::filesystem::path& artifact,
                                       const Manifest& manifest, const at::Device& device,
                                       int threads) {
  if (device.is_cpu()) return load_onnxruntime(artifact, manifest, device, threads);
  const EngineInfo engine = engine_here(artifact, manifest, device.index());
  return std::make_unique<TensorRtProgram>(artifact, manifest, device, threads, engine);
}

}  // namespace mpm

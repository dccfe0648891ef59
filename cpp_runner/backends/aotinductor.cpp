// AOTInductor: a .pt2 with the entries scores(images) and labels(scores, canvas).

#include <ATen/ops/zeros.h>
#include <torch/csrc/inductor/aoti_runner/model_container_runner.h>

#include "artifact/archive.hpp"
#include "backends/opened_once.hpp"
#include "backends/program.hpp"
#include "backends/stored_weights.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/model.hpp"
#include "support/temporary_folder.hpp"

namespace mpm {

namespace {

using torch::inductor::AOTIModelContainerRunner;

// Opens one entry of a package. What is unpacked for it is gone once it is mapped, where torch's
// own loader of packages keeps it as long as the entry is open, and for good if it is killed.
std::unique_ptr<AOTIModelContainerRunner> open_entry(const Archive& package,
                                                     const std::string& entry, std::size_t runners,
                                                     const at::Device& device) {
  const TemporaryFolder folder(for_temporary_files());
  std::filesystem::path library;
  for (const std::string& name : package.names_in("data/aotinductor/" + entry + "/")) {
    if (name.ends_with(".cpp")) continue;
    const std::filesystem::path target = folder.path / std::filesystem::path(name).filename();
    package.extract(name, target);
    if (name.ends_with(".so")) library = target;
  }
  if (library.empty()) throw std::runtime_error("found no library for entry '" + entry + "'");
  const auto create =
      torch::inductor::getAOTIModelRunnerRegistry().at(device.is_cpu() ? "cpu" : "cuda");
  auto opened = create(library.string(), runners, device.str(), folder.path.string(), false);
  if (device.is_cpu()) free_stored_weights(library);
  return opened;
}

// The entries of a package.
struct Entries {
  std::unique_ptr<AOTIModelContainerRunner> scores;
  std::unique_ptr<AOTIModelContainerRunner> labels;
};

class AotInductorProgram : public Program {
 public:
  AotInductorProgram(OpenedOnce::Open open, const Manifest& manifest, const at::Device& device,
                     int threads)
      : Program(manifest.batch, threads),
        order_(manifest),
        entries_(device.is_cpu() ? manifest.payload_sha256 : "", "entries", std::move(open)),
        canvas_(at::zeros({1, 1}, at::TensorOptions(device).dtype(at::kByte))) {}

 private:
  ModelOutput run_scores(const at::Tensor& images) const override {
    const std::vector<at::Tensor> outputs =
        entries_.call<Entries>([&](Entries& its) { return its.scores->run({images}); });
    return {outputs.at(order_.scores), outputs.at(order_.merge_maps)};
  }

  // Integers are frozen at export, so the size goes as the shape of a tensor that has no content:
  // one element, repeated with zero strides.
  at::Tensor run_labels(const at::Tensor& scores, Size size) const override {
    return entries_.call<Entries>([&](Entries& its) {
      return its.labels->run({scores, canvas_.expand({size.height, size.width})}).at(0);
    });
  }

  const OutputOrder order_;
  const OpenedOnce entries_;
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

// As many calls to the scores as this may run at once; they share the weights.
std::shared_ptr<void> open_entries(const std::filesystem::path& artifact,
                                   const at::Device& device) {
  const std::size_t runners = device.is_cpu() ? static_cast<std::size_t>(available_cores()) : 1;
  try {
    const Archive package(artifact);
    return std::make_shared<Entries>(Entries{open_entry(package, "scores", runners, device),
                                             open_entry(package, "labels", 1, device)});
  } catch (const ArtifactError&) {
    throw;
  } catch (const std::exception&) {
    check_unpacked(artifact);
    throw;
  }
}

}  // namespace

std::unique_ptr<Program> load_aotinductor(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads) {
  const auto open = [=] { return open_entries(artifact, device); };
  return std::make_unique<AotInductorProgram>(told_of(artifact, manifest, open), manifest, device,
                                              threads);
}

}  // namespace mpm

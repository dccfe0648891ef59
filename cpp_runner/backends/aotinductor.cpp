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

// Opens one entry of a package, of which what lies in a folder was unpacked.
std::unique_ptr<AOTIModelContainerRunner> open_entry(const std::filesystem::path& folder,
                                                     const std::string& entry, std::size_t runners,
                                                     const at::Device& device) {
  std::filesystem::path library;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".so") library = file.path();
  }
  if (library.empty()) throw std::runtime_error("found no library for entry '" + entry + "'");
  const auto create =
      torch::inductor::getAOTIModelRunnerRegistry().at(device.is_cpu() ? "cpu" : "cuda");
  auto opened = create(library.string(), runners, device.str(), folder.string(), false);
  if (device.is_cpu()) free_stored_weights(library);
  return opened;
}

// The entries of a package.
struct Entries {
  std::unique_ptr<AOTIModelContainerRunner> scores;
  std::unique_ptr<AOTIModelContainerRunner> labels;
};

// Refuses a temporary folder into which a file cannot have been unpacked and run.
void check_unpacked(const std::filesystem::path& artifact) {
  std::error_code is_gone;
  const std::uintmax_t size = std::filesystem::file_size(artifact, is_gone);
  if (is_gone) return;
  try {
    check_temporary_folder(size);
  } catch (const HostError& error) {
    throw HostError(artifact.string() + ": cannot be unpacked: " + error.problem(), error.hint());
  }
}

// Gives the file for a record of an entry, in that entry's folder.
std::optional<std::filesystem::path> target_of(const std::filesystem::path& folder,
                                               const std::string& name) {
  for (const char* entry : {"scores", "labels"}) {
    if (name.starts_with("data/aotinductor/" + std::string(entry) + "/") && !name.ends_with(".cpp"))
      return folder / entry / std::filesystem::path(name).filename();
  }
  return std::nullopt;
}

// What is unpacked is gone once it is mapped, where torch's own loader of packages keeps it as long
// as an entry is open, and for good if it is killed.
std::shared_ptr<void> open_unpacked(const std::filesystem::path& artifact,
                                    const std::string& payload_sha256, const at::Device& device) {
  const TemporaryFolder folder(for_temporary_files());
  for (const char* entry : {"scores", "labels"}) {
    std::filesystem::create_directory(folder.path / entry);
  }
  Archive(artifact).unpack_checked(
      payload_sha256, [&](const std::string& name) { return target_of(folder.path, name); });
  // As many calls to the scores as this may run at once; they share the weights.
  const std::size_t runners = device.is_cpu() ? static_cast<std::size_t>(available_cores()) : 1;
  return std::make_shared<Entries>(
      Entries{open_entry(folder.path / "scores", "scores", runners, device),
              open_entry(folder.path / "labels", "labels", 1, device)});
}

std::shared_ptr<void> open_entries(const std::filesystem::path& artifact,
                                   const std::string& payload_sha256, const at::Device& device) {
  try {
    return open_unpacked(artifact, payload_sha256, device);
  } catch (const std::exception&) {
    check_unpacked(artifact);
    throw;
  }
}

class AotInductorProgram : public Program {
 public:
  AotInductorProgram(const std::filesystem::path& artifact, const Manifest& manifest,
                     const at::Device& device, int threads)
      : Program(manifest.batch, threads),
        artifact_(artifact),
        order_(manifest),
        entries_(device.is_cpu() ? manifest.payload_sha256 : "", "entries",
                 told_of(artifact, manifest,
                         [=, hash = manifest.payload_sha256] {
                           return open_entries(artifact, hash, device);
                         }),
                 [&] { Archive(artifact).check_payload(manifest.payload_sha256); }),
        canvas_(at::zeros({1, 1}, at::TensorOptions(device).dtype(at::kByte))) {}

 private:
  ModelOutput run_scores(const at::Tensor& images) const override {
    const std::vector<at::Tensor> outputs = run_told(artifact_, [&] {
      return entries_.call<Entries>([&](Entries& its) { return its.scores->run({images}); });
    });
    return {outputs.at(order_.scores), outputs.at(order_.merge_maps)};
  }

  // Integers are frozen at export, so the size goes as the shape of a tensor that has no content:
  // one element, repeated with zero strides.
  at::Tensor run_labels(const at::Tensor& scores, Size size) const override {
    return entries_.call<Entries>([&](Entries& its) {
      return its.labels->run({scores, canvas_.expand({size.height, size.width})}).at(0);
    });
  }

  const std::filesystem::path artifact_;
  const OutputOrder order_;
  const OpenedOnce entries_;
  at::Tensor canvas_;  // (1, 1) uint8
};

}  // namespace

std::unique_ptr<Program> load_aotinductor(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads) {
  return std::make_unique<AotInductorProgram>(artifact, manifest, device, threads);
}

}  // namespace mpm

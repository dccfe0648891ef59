#include "backends/program.hpp"

#include <ATen/Context.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include <cstddef>
#include <map>
#include <new>
#include <set>

#include "backends/window_labels.hpp"
#include "mpm_kernels/label_map.h"
#include "mpm_kernels/window_label_map.h"
#include "mpm_runner/error.hpp"
#include "support/refusal.hpp"
#include "support/threads.hpp"

namespace mpm {

namespace {

using Load = std::unique_ptr<Program>(const std::filesystem::path&, const Manifest&,
                                      const at::Device&, int threads);

struct Backend {
  Load* load;
  bool any_device;  // whether a file runs on other devices than it was built for
  std::set<std::string> known_details = {};  // what it asks of a host in `Requires::details`
  // Refuses a machine that has not what these are; nothing else needs it.
  void (*check_details)(const std::filesystem::path&, const Manifest&, const Device&) = nullptr;
};

const std::map<std::string, Backend> backends{
    {"aotinductor", {load_aotinductor, false}},
    {"onnxruntime", {load_onnxruntime, false, {"providers"}, check_providers}},
    {"tensorrt", {load_tensorrt, true, {"engines", "rows"}, check_engines}},
    {"torchscript", {load_torchscript, true}},
};

const Backend& find_backend(const std::filesystem::path& artifact, const std::string& name) {
  const auto found = backends.find(name);
  if (found != backends.end()) return found->second;
  std::string known;
  for (const auto& [each, _] : backends) known += (known.empty() ? "" : ", ") + each;
  throw HostError(
      artifact.string() + ": built for backend \"" + name + "\", and this program has " + known,
      "run it with `mpm-deploy run`, which may have it; else update this program, or rebuild the "
      "artifact with another backend");
}

std::string versions_of(const Requires& needs) {
  std::string text;
  for (const auto& [name, version] : needs.versions) {
    text += (text.empty() ? "" : " and ") + name + " " + version;
  }
  return text;
}

ArtifactError cannot_load(const std::filesystem::path& artifact, const Manifest& manifest,
                          const std::exception& error, const Engine& engine) {
  const std::string rebuild = "it was built with " + versions_of(manifest.requires_) +
                              ": rebuild it with what is here, or " + engine.other;
  return ArtifactError(
      artifact.string() + ": " + engine.name + " cannot load it: " + line_of(error),
      engine.cure.empty() ? rebuild : engine.cure);
}

// Throws what is being handled as an error that names the artifact.
[[noreturn]] void tell_of(const std::filesystem::path& artifact, const Manifest& manifest,
                          const Engine& engine = torch_engine()) {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (const auto told = refusal_in(error)) {
      throw HostError(artifact.string() + ": cannot be loaded: " + told->problem(), told->hint());
    }
    throw cannot_load(artifact, manifest, error, engine);
  }
}

at::ScalarType label_type(const at::Tensor& scores) {
  return scores.size(1) <= 256 ? at::kByte : at::kShort;
}

// size: of the label map that was asked for.
void check_outcome(int outcome, Size size) {
  if (outcome == MPM_NO_MEMORY) throw std::bad_alloc();
  if (outcome != MPM_DONE) {
    throw InputError("size: expected a height and width from 1 to " +
                     std::to_string(MPM_LARGEST_SIDE) + ", got " + std::to_string(size.height) +
                     " x " + std::to_string(size.width));
  }
}

// scores: (B, K, h, w) float32, contiguous, on the CPU.
at::Tensor native_labels(const at::Tensor& scores, Size size) {
  at::Tensor labels = at::empty({scores.size(0), size.height, size.width}, label_type(scores));
  const float* from = scores.const_data_ptr<float>();
  auto* to = static_cast<std::byte*>(labels.mutable_data_ptr());
  for (std::int64_t image = 0; image < scores.size(0); ++image) {
    const int outcome = mpm_label_map(from, scores.size(1), scores.size(2), scores.size(3),
                                      size.height, size.width, to);
    check_outcome(outcome, size);
    from += scores.stride(0);
    to += labels.stride(0) * labels.element_size();
  }
  return labels;
}

// scores: (windows, K, h, w) float32, contiguous, on the CPU.
at::Tensor native_window_labels(const at::Tensor& scores, const WindowGrid& grid, Size size) {
  at::Tensor labels = at::empty({size.height, size.width}, label_type(scores));
  const mpm_window_grid windows{
      .height = grid.size.height,
      .width = grid.size.width,
      .window_height = grid.window.height,
      .window_width = grid.window.width,
      .rows = static_cast<std::int64_t>(grid.tops.size()),
      .columns = static_cast<std::int64_t>(grid.lefts.size()),
      .tops = grid.tops.data(),
      .lefts = grid.lefts.data(),
  };
  const int outcome = mpm_window_label_map(scores.const_data_ptr<float>(), scores.size(1),
                                           scores.size(2), scores.size(3), &windows, size.height,
                                           size.width, labels.mutable_data_ptr());
  check_outcome(outcome, size);
  return labels;
}

// Has scores of attention, some megabytes each, reuse one another's memory. glibc gives large
// blocks back to the system when they are freed, and the next one costs a page fault every 4 KB: a
// tenth of the model's time. What counts as large rises to the largest block that was freed, up to
// 32 MB (mallopt(3), M_MMAP_THRESHOLD); so one such block is.
void let_malloc_keep_memory() { at::empty({31 << 20}, at::kByte); }

}  // namespace

Program::Program(BatchRange batch, int threads)
    : batch_(batch), side_by_side_(threads, use_intra_op_threads) {}

ModelOutput Program::scores(const at::Tensor& images) const {
  return refusals_told([&]() -> ModelOutput {
    const c10::InferenceMode inference;
    if (images.size(0) <= batch_.max) return run_scores(images);
    const std::vector<at::Tensor> parts = images.split(batch_.max);
    std::vector<at::Tensor> scores(parts.size());
    std::vector<at::Tensor> merge_maps(parts.size());
    const auto run_part = [&](std::size_t part) {
      const c10::InferenceMode inference_too;  // known to one thread only
      ModelOutput output = run_scores(parts[part]);
      scores[part] = std::move(output.scores);
      merge_maps[part] = std::move(output.merge_maps);
    };
    if (images.is_cpu())
      side_by_side_.run(parts.size(), run_part);
    else
      for (std::size_t part = 0; part < parts.size(); ++part) run_part(part);
    return {at::cat(scores), at::cat(merge_maps)};
  });
}

at::Tensor Program::labels(const at::Tensor& scores, Size size) const {
  return refusals_told([&] {
    const c10::InferenceMode inference;
    if (scores.is_cpu()) return native_labels(scores.contiguous(), size);
    if (scores.size(0) <= batch_.max) return run_labels(scores.contiguous(), size);
    std::vector<at::Tensor> labels;
    for (const at::Tensor& part : scores.split(batch_.max)) {
      labels.push_back(run_labels(part.contiguous(), size));
    }
    return at::cat(labels);
  });
}

at::Tensor Program::window_labels(const at::Tensor& scores, const WindowGrid& grid,
                                  Size size) const {
  return refusals_told([&] {
    const c10::InferenceMode inference;
    // One window that has the pixels of the label map.
    if (grid.size == grid.window && grid.size == size) return labels(scores, size)[0];
    if (scores.is_cpu()) return native_window_labels(scores.contiguous(), grid, size);
    return mpm::window_labels(scores, grid, size);
  });
}

void check_host_of(const std::filesystem::path& artifact, const Manifest& manifest,
                   const Device& device) {
  const Requires& needs = manifest.requires_;
  const Backend& backend = find_backend(artifact, needs.backend);
  for (const auto& [name, _] : needs.details) {
    if (backend.known_details.contains(name)) continue;
    throw HostError(artifact.string() + ": needs " + name + ", which backend \"" + needs.backend +
                        "\" does not know",
                    "update this program");
  }
  check_host(manifest, device, artifact, backend.any_device);
  if (backend.check_details) backend.check_details(artifact, manifest, device);
}

Engine torch_engine() { return {"torch " TORCH_VERSION, "build this program with that"}; }

OpenedOnce::Open told_of(const std::filesystem::path& artifact, const Manifest& manifest,
                         OpenedOnce::Open open, const Engine& engine) {
  return [=] {
    try {
      return open();
    } catch (...) {
      tell_of(artifact, manifest, engine);
    }
  };
}

std::unique_ptr<Program> load_program(const std::filesystem::path& artifact,
                                      const Manifest& manifest, const Device& device, int threads) {
  const at::Device where(device.name());
  if (where.is_cpu())
    let_malloc_keep_memory();
  else if (manifest.requires_.dtype == "float32")
    // cuDNN multiplies in TF32, of 10 bits; from here on in no model of this process.
    at::globalContext().setAllowTF32CuDNN(false);
  try {
    // A forked child may have to open it again, and be in another folder.
    return find_backend(artifact, manifest.requires_.backend)
        .load(std::filesystem::absolute(artifact), manifest, where, threads);
  } catch (...) {
    tell_of(artifact, manifest);
  }
}

}  // namespace mpm

#include "backends/program.hpp"

#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include <map>

#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

using Load = std::unique_ptr<Program>(const std::filesystem::path&, const Manifest&,
                                      const at::Device&);

const std::map<std::string, Load*> backends{
    {"aotinductor", load_aotinductor},
    {"torchscript", load_torchscript},
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

ArtifactError cannot_load(const std::filesystem::path& artifact, const Manifest& manifest,
                          const std::string& reason) {
  return ArtifactError(
      artifact.string() + ": torch " TORCH_VERSION " cannot load it: " + first_line(reason),
      "it was built with torch " + manifest.requires_.torch +
          ": rebuild it with this one, or build this program with that one");
}

}  // namespace

ModelOutput Program::scores(const at::Tensor& images) const {
  const c10::InferenceMode inference;
  if (images.size(0) <= batch_.max) return run_scores(images);
  std::vector<at::Tensor> scores;
  std::vector<at::Tensor> merge_maps;
  for (const at::Tensor& part : images.split(batch_.max)) {
    ModelOutput output = run_scores(part);
    scores.push_back(output.scores);
    merge_maps.push_back(output.merge_maps);
  }
  return {at::cat(scores), at::cat(merge_maps)};
}

at::Tensor Program::labels(const at::Tensor& scores, Size size) const {
  const c10::InferenceMode inference;
  if (scores.size(0) <= batch_.max) return run_labels(scores.contiguous(), size);
  std::vector<at::Tensor> labels;
  for (const at::Tensor& part : scores.split(batch_.max)) {
    labels.push_back(run_labels(part.contiguous(), size));
  }
  return at::cat(labels);
}

std::unique_ptr<Program> load_program(const std::filesystem::path& artifact,
                                      const Manifest& manifest, const Device& device) {
  const at::Device where(device.name());
  try {
    return backends.at(manifest.requires_.backend)(artifact, manifest, where);
  } catch (const c10::Error& error) {
    throw cannot_load(artifact, manifest, error.what_without_backtrace());
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw cannot_load(artifact, manifest, error.what());
  }
}

}  // namespace mpm

#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>

#include "artifact/host.hpp"
#include "backends/image_parallel.hpp"
#include "backends/opened_once.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/windows.hpp"
#include "support/refusal.hpp"

namespace mpm {

// Where `scores` gives which tensor.
struct OutputOrder {
  std::size_t scores;
  std::size_t merge_maps;

  explicit OutputOrder(const Manifest& manifest)
      : scores(manifest.output_index("scores")), merge_maps(manifest.output_index("merge_maps")) {}
};

struct ModelOutput {
  at::Tensor scores;      // (B, K, h, w) float32
  at::Tensor merge_maps;  // (B, M, N) int32
};

// The two functions of a loaded artifact. A member answers for as many images as the artifact takes
// at once; any batch may be asked for here, and on a CPU its images then run side by side.
class Program {
 public:
  // threads: of one operator on a CPU, those of the thread that calls `scores`.
  Program(BatchRange batch, int threads);
  virtual ~Program() = default;

  // images: (B, 3, H, W) uint8, contiguous, on the artifact's device. One thread at a time.
  ModelOutput scores(const at::Tensor& images) const;

  // scores: (B, K, h, w) float32. Gives (B, height, width), uint8, or int16 where K > 256. On a CPU
  // the native kernel answers, on the caller's thread; elsewhere the artifact.
  at::Tensor labels(const at::Tensor& scores, Size size) const;

  // scores: (windows, K, h, w) float32, of the windows that were slid over one image, in the grid's
  // order. Gives (height, width). On a CPU the native kernel answers, elsewhere aten's operators.
  at::Tensor window_labels(const at::Tensor& scores, const WindowGrid& grid, Size size) const;

 private:
  // What these get is contiguous. On a CPU threads call run_scores at once, as many as `threads`.
  virtual ModelOutput run_scores(const at::Tensor& images) const = 0;
  virtual at::Tensor run_labels(const at::Tensor& scores, Size size) const = 0;

  BatchRange batch_;
  mutable SideBySide side_by_side_;
};

// Refuses a machine that is known not to run the artifact, or a program without its backend;
// nothing in the file is loaded. Throws HostError.
void check_host_of(const std::filesystem::path& artifact, const Manifest& manifest,
                   const Device& device);

// Opens an artifact that was read and whose host was checked, with the backend its manifest names.
// threads: of one operator on a CPU. Throws ArtifactError.
std::unique_ptr<Program> load_program(const std::filesystem::path& artifact,
                                      const Manifest& manifest, const Device& device, int threads);

// What opens an artifact, as errors name it, and what to do where it cannot.
struct Engine {
  std::string name;
  std::string other;      // how to get another version of it
  std::string cure = {};  // what helps in place of that and of a rebuild, where something does
};

Engine torch_engine();

// The same, which throws ArtifactError or HostError that names the artifact, whatever `open`
// throws.
OpenedOnce::Open told_of(const std::filesystem::path& artifact, const Manifest& manifest,
                         OpenedOnce::Open open, const Engine& engine = torch_engine());

// What to do about an artifact that failed while it ran, where it was built on this machine.
inline constexpr const char* failure_hint =
    "if memory is short, take smaller batches; else rebuild it on this machine, and please report "
    "it";

// Calls the function, which runs what is open of an artifact, and throws ArtifactError that names
// it in place of an exception that is none of ours; HostError in place of one that tells of a
// refusal.
template <typename Function>
auto run_told(const std::filesystem::path& artifact, const Function& function,
              const std::string& cure = failure_hint) {
  try {
    return refusals_told(function);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw ArtifactError(artifact.string() + ": it failed while it ran: " + line_of(error), cure);
  }
}

// The members. One that this build leaves out throws HostError.
std::unique_ptr<Program> load_torchscript(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads);
std::unique_ptr<Program> load_aotinductor(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads);
std::unique_ptr<Program> load_onnxruntime(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device& device,
                                          int threads);

std::unique_ptr<Program> load_tensorrt(const std::filesystem::path& artifact,
                                       const Manifest& manifest, const at::Device& device,
                                       int threads);

// Refuses a machine whose ONNX Runtime lacks an execution provider that the artifact is for. Throws
// HostError; ArtifactError: the manifest names none.
void check_providers(const std::filesystem::path& artifact, const Manifest& manifest,
                     const Device& device);

// Refuses a machine that none of an artifact's engines is for; on a CPU, one whose ONNX Runtime
// does not run its segments. Throws HostError; ArtifactError: the engines are not described as they
// should be.
void check_engines(const std::filesystem::path& artifact, const Manifest& manifest,
                   const Device& device);

}  // namespace mpm

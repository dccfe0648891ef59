#include "backends/program.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

[[noreturn]] void refuse(const std::filesystem::path& artifact) {
  throw HostError(artifact.string() + ": this program was built without ONNX Runtime",
                  "build it with -DMPM_ONNXRUNTIME=ON, where ONNX Runtime's headers are: "
                  "docs/guides/onnxruntime.md");
}

}  // namespace

std::unique_ptr<Program> load_onnxruntime(const std::filesystem::path& artifact, const Manifest&,
                                          const at::Device&, int) {
  refuse(artifact);
}

void check_providers(const std::filesystem::path& artifact, const Manifest&, const Device&) {
  refuse(artifact);
}

}  // namespace mpm

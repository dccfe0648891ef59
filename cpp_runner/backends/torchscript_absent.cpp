#include "backends/program.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

std::unique_ptr<Program> load_torchscript(const std::filesystem::path& artifact, const Manifest&,
                                          const at::Device&, int) {
  throw HostError(artifact.string() + ": this program was built without TorchScript",
                  "build it with -DMPM_TORCHSCRIPT=ON");
}

}  // namespace mpm

#include "backends/program.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

std::unique_ptr<Program> load_aotinductor(const std::filesystem::path& artifact, const Manifest&,
                                          const at::Device&, int) {
  throw HostError(artifact.string() + ": this program was built without AOTInductor",
                  "build it with -DMPM_AOTINDUCTOR=ON");
}

}  // namespace mpm

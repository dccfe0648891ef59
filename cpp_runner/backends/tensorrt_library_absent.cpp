#include "backends/tensorrt_library.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

const TensorRtLibrary& tensorrt_library(const std::filesystem::path& artifact) {
  throw HostError(artifact.string() + ": this program was built without TensorRT",
                  "run it with `mpm-deploy run`; or build this program with -DMPM_TENSORRT=ON, "
                  "where TensorRT's headers are: docs/guides/tensorrt.md");
}

// Nobody asks: there is no library.
std::unique_ptr<Step> open_engine(const std::string&, const at::Device&) { return nullptr; }

}  // namespace mpm

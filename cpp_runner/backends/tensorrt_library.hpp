#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "backends/segment_chain.hpp"

namespace mpm {

// What runs engines: TensorRT, or TensorRT for RTX, of whichever this program was built with the
// headers. The library stays open for as long as this process lives. **No engine has run on a GPU
// by it so far.**
struct TensorRtLibrary {
  std::map<std::string, std::string>
      versions;         // all numbers, by the flavor's name; none if missing
  std::string missing;  // why it is
};

// Opens the library: the file that the environment names in MPM_TENSORRT_LIBRARY, or the one that
// was found when this program was built, or the system's. Throws HostError, which names the
// artifact: this program was built without its headers.
const TensorRtLibrary& tensorrt_library(const std::filesystem::path& artifact);

// Opens an engine, as it was written, as a step of a chain: on memory and on the stream that are
// torch's, where its device is the current one as it runs. It is not for two threads at once: it
// has one memory. The library must be there. Throws std::runtime_error: it cannot open the engine;
// says why.
std::unique_ptr<Step> open_engine(const std::string& engine, const at::Device& device);

}  // namespace mpm

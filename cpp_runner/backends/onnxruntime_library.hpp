#pragma once

// Only its headers are compiled against: the library is opened when it is first needed, so that the
// program starts without it and is not tied to one version of it.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

#include <string>
#include <vector>

namespace mpm {

// ONNX Runtime's library, open for as long as this process lives.
struct OnnxRuntimeLibrary {
  std::string version;                 // as in "1.32.0"
  std::vector<std::string> providers;  // the execution providers that it has
};

// Opens the library: the file that the environment names in MPM_ONNXRUNTIME_LIBRARY, or the one
// that this program was built with, or the system's. Throws HostError: there is none, or it is
// older than the headers.
const OnnxRuntimeLibrary& onnxruntime_library();

}  // namespace mpm

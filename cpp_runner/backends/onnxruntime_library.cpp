#include "backends/onnxruntime_library.hpp"

#include <dlfcn.h>

#include <cstdlib>

#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

constexpr const char* named_by = "MPM_ONNXRUNTIME_LIBRARY";
constexpr const char* cure =
    "install ONNX Runtime, as by pip install onnxruntime, and name its library: "
    "MPM_ONNXRUNTIME_LIBRARY=/path/to/libonnxruntime.so.1";

// The files to try, the first that opens is taken.
std::vector<std::string> candidates() {
  if (const char* named = std::getenv(named_by)) return {named};
  // Its makers number a library by its first number, Debian by the two of its version.
  const std::string of_headers = "libonnxruntime.so.1." + std::to_string(ORT_API_VERSION);
  std::vector<std::string> files{"libonnxruntime.so.1", of_headers, "libonnxruntime.so"};
  const std::string built_with = MPM_ONNXRUNTIME_FOUND;
  if (!built_with.empty()) files.insert(files.begin(), built_with);
  return files;
}

struct Opened {
  std::string file;
  void* library;
};

Opened open_library() {
  std::string reason;
  for (const std::string& file : candidates()) {
    if (void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return {file, library};
    reason = dlerror();
  }
  throw HostError("ONNX Runtime's library cannot be opened: " + reason, cure);
}

OnnxRuntimeLibrary open_api() {
  const auto [file, library] = open_library();
  using GetBase = const OrtApiBase*();
  const auto get_base = reinterpret_cast<GetBase*>(dlsym(library, "OrtGetApiBase"));
  if (get_base == nullptr) {
    throw HostError(file + ": expected ONNX Runtime's library, got another", cure);
  }
  const OrtApiBase* base = get_base();
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw HostError(file + ": ONNX Runtime " + base->GetVersionString() +
                        " is older than version 1." + std::to_string(ORT_API_VERSION) +
                        ", whose headers this program was built with",
                    "install a newer one, or build this program with the headers of that");
  }
  Ort::InitApi(api);
  return {base->GetVersionString(), Ort::GetAvailableProviders()};
}

}  // namespace

const OnnxRuntimeLibrary& onnxruntime_library() {
  static const OnnxRuntimeLibrary library = open_api();
  return library;
}

}  // namespace mpm

#include "backends/onnxruntime_library.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>

#include "backends/first_library.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

using namespace std::string_literals;

namespace {

constexpr const char* named_by = "MPM_ONNXRUNTIME_LIBRARY";
constexpr const char* cure =
    "install ONNX Runtime, as by pip install onnxruntime, and name its library: "
    "MPM_ONNXRUNTIME_LIBRARY=/path/to/libonnxruntime.so.1; or build this program with the headers "
    "of an older one";

// The files to try, in this order.
std::vector<std::string> candidates() {
  if (const char* named = std::getenv(named_by)) return {named};
  // Its makers number a library by its first number, Debian by the two of its version.
  const std::string of_headers = "libonnxruntime.so.1." + std::to_string(ORT_API_VERSION);
  std::vector<std::string> files{"libonnxruntime.so.1", of_headers, "libonnxruntime.so"};
  const std::string built_with = MPM_ONNXRUNTIME_FOUND;
  if (!built_with.empty()) files.insert(files.begin(), built_with);
  return files;
}

// Takes an open library, if it is ONNX Runtime's and no older than these headers. Throws
// std::runtime_error: it is another.
OnnxRuntimeLibrary taken(const std::string& file, void* library) {
  using GetBase = const OrtApiBase*();
  const auto get_base = reinterpret_cast<GetBase*>(dlsym(library, "OrtGetApiBase"));
  if (get_base == nullptr)
    throw std::runtime_error(file + ": expected ONNX Runtime's library, got another");
  const OrtApiBase* base = get_base();
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw std::runtime_error(file + ": ONNX Runtime " + base->GetVersionString() +
                             " is older than version 1." + std::to_string(ORT_API_VERSION) +
                             ", whose headers this program was built with");
  }
  Ort::InitApi(api);
  return {base->GetVersionString(), Ort::GetAvailableProviders()};
}

OnnxRuntimeLibrary open_library() {
  try {
    return first_library(candidates(), taken);
  } catch (const std::runtime_error& error) {
    throw HostError("ONNX Runtime's library cannot be opened: "s + error.what(), cure);
  }
}

}  // namespace

const OnnxRuntimeLibrary& onnxruntime_library() {
  static const OnnxRuntimeLibrary library = open_library();
  return library;
}

}  // namespace mpm

#include "artifact/cuda_driver.hpp"

#include <dlfcn.h>

namespace mpm {

namespace {

// From the driver's ABI: cuda.h, CUdevice_attribute.
constexpr int compute_capability_major = 75;
constexpr int compute_capability_minor = 76;

template <typename Function>
Function* symbol(void* library, const char* name) {
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
}

struct Driver {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  int (*init)(unsigned) = symbol<int(unsigned)>(library, "cuInit");
  int (*count)(int*) = symbol<int(int*)>(library, "cuDeviceGetCount");
  int (*get)(int*, int) = symbol<int(int*, int)>(library, "cuDeviceGet");
  int (*name)(char*, int, int) = symbol<int(char*, int, int)>(library, "cuDeviceGetName");
  int (*attribute)(int*, int, int) = symbol<int(int*, int, int)>(library, "cuDeviceGetAttribute");
  bool ready = init && count && get && name && attribute && init(0) == 0;
};

const Driver& driver() {
  static const Driver instance;
  return instance;
}

}  // namespace

std::string written(const std::array<int, 2>& capability) {
  return std::to_string(capability[0]) + "." + std::to_string(capability[1]);
}

bool has_cuda_driver() { return driver().library != nullptr; }

int gpu_count() {
  int count = 0;
  return driver().ready && driver().count(&count) == 0 ? count : 0;
}

std::optional<Gpu> find_gpu(int index) {
  int device = 0;
  char name[256] = "";
  Gpu gpu;
  const bool found =
      index >= 0 && index < gpu_count() && driver().get(&device, index) == 0 &&
      driver().name(name, sizeof name, device) == 0 &&
      driver().attribute(&gpu.capability[0], compute_capability_major, device) == 0 &&
      driver().attribute(&gpu.capability[1], compute_capability_minor, device) == 0;
  if (!found) return std::nullopt;
  gpu.name = name;
  return gpu;
}

}  // namespace mpm

// A GPU that computes nothing: CUDA's runtime, driver and cuBLAS for one device, an H100 by its
// numbers, as far as torch, Triton, AOTInductor and our two programs ask for them.
//
//   program ─▶ torch, Triton ─▶ cudaMalloc, cuLaunchKernel, cublasGemmEx ...
//                                    │
//                         memory is real and zero at first; a launch returns at once
//
// The whole path of a GPU runs on the host: export, compilation for sm_90, loading, streams,
// copies, both programs. Results are zeros. What the host must not touch it cannot: device memory
// has two addresses, and the one that a program sees may be neither read nor written.
//
// What is not here is generated beside it (__init__.py): functions that succeed and do nothing.
#include <driver_types.h>
#include <vector_types.h>

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>

#undef cudaGetDeviceProperties

#define CUDA_API extern "C" __attribute__((visibility("default")))

namespace {

constexpr const char* device_name = "a GPU that computes nothing";
constexpr size_t total_memory = size_t{80} << 30, free_memory = size_t{70} << 30;
constexpr int page = 4096;
// What a program is told where it reads one number back: how many tokens are kept. Not more than a
// merge is given, and the same however often it merges.
constexpr int64_t any_count = 20;
// And where it reads a truth back: that all numbers are finite.
constexpr bool any_answer = true;

enum class Memory { unknown = 0, host = 1, device = 2 };  // as cudaMemoryType

struct Block {
  size_t size;
  Memory memory;
  char* contents;  // where the host finds what lies in it
};

std::mutex mutex;
std::map<char*, Block> blocks;  // by address

void* handle() {
  static char anything[64];
  return anything;
}

int take(void** address, size_t size, Memory memory) {
  *address = nullptr;
  if (size == 0) return 0;
  size = (size + page - 1) / page * page;
  const int file = memfd_create("device memory", 0);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) return cudaErrorMemoryAllocation;
  void* contents = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  void* seen = contents;
  if (memory == Memory::device) seen = mmap(nullptr, size, PROT_NONE, MAP_SHARED, file, 0);
  close(file);
  if (contents == MAP_FAILED || seen == MAP_FAILED) return cudaErrorMemoryAllocation;
  const std::lock_guard lock(mutex);
  blocks[static_cast<char*>(seen)] = {size, memory, static_cast<char*>(contents)};
  *address = seen;
  return 0;
}

int give_back(void* address) {
  const std::lock_guard lock(mutex);
  const auto found = blocks.find(static_cast<char*>(address));
  if (found == blocks.end()) return 0;
  const Block block = found->second;
  blocks.erase(found);
  munmap(block.contents, block.size);
  if (block.memory == Memory::device) munmap(address, block.size);
  return 0;
}

struct Place {
  char* contents;
  Memory memory;
};

// Where the host finds what lies at an address, on the device or not.
Place place_of(const void* address) {
  char* wanted = static_cast<char*>(const_cast<void*>(address));
  const std::lock_guard lock(mutex);
  const auto next = blocks.upper_bound(wanted);
  if (next == blocks.begin()) return {wanted, Memory::unknown};
  const auto& [begin, block] = *std::prev(next);
  if (wanted >= begin + block.size) return {wanted, Memory::unknown};
  return {block.contents + (wanted - begin), block.memory};
}

int copy(void* target, const void* source, size_t size, int kind) {
  char* written = place_of(target).contents;
  std::memmove(written, place_of(source).contents, size);
  if (kind != cudaMemcpyDeviceToHost) return 0;
  if (size == sizeof(int64_t)) std::memcpy(written, &any_count, size);
  if (size == sizeof(int32_t)) std::memcpy(written, &any_count, size);  // its low half
  if (size == sizeof(bool)) std::memcpy(written, &any_answer, size);
  return 0;
}

int fill(void* target, int value, size_t size) {
  std::memset(place_of(target).contents, value, size);
  return 0;
}

// By the number of a cudaDeviceAttr, which is that of a CUdevice_attribute.
int attribute(int number) {
  switch (number) {
    case 1:
    case 2:
    case 3:
      return 1024;  // threads of a block, and its sides
    case 4:
      return 64;
    case 5:
      return 2147483647;  // blocks of a grid, and its other sides
    case 6:
    case 7:
      return 65535;
    case 8:
      return 49152;  // shared memory of a block, in bytes
    case 10:
      return 32;  // threads of a warp
    case 12:
    case 82:
      return 65536;  // registers
    case 16:
      return 132;  // multiprocessors
    case 38:
      return 50 << 20;  // L2 cache
    case 39:
      return 2048;  // threads of a multiprocessor
    case 41:
      return 1;  // one address space
    case 75:
      return 9;  // compute capability
    case 81:
      return 233472;  // shared memory of a multiprocessor
    case 97:
      return 232448;  // of a block that asks for more
    case 106:
      return 32;  // blocks of a multiprocessor
    default:
      return 0;
  }
}

int entry_point(const char* name, void** function, int* status, int missing) {
  *function = dlsym(RTLD_DEFAULT, name);
  const bool found = *function != nullptr;
  if (status != nullptr) *status = found ? 0 : 1;
  return found ? 0 : missing;
}

template <typename T>
int answer(T* place, T value) {
  if (place != nullptr) *place = value;
  return 0;
}

}  // namespace

// --- the runtime: device ---

CUDA_API int cudaGetDeviceCount(int* count) { return answer(count, 1); }
CUDA_API int cudaGetDevice(int* device) { return answer(device, 0); }
CUDA_API int cudaDeviceGetAttribute(int* value, int number, int) {
  return answer(value, attribute(number));
}
CUDA_API int cudaDriverGetVersion(int* version) { return answer(version, CUDA_VERSION_SEEN); }
CUDA_API int cudaRuntimeGetVersion(int* version) { return answer(version, CUDA_VERSION_SEEN); }
CUDA_API int cudaDeviceCanAccessPeer(int* can, int, int) { return answer(can, 0); }
CUDA_API int cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  answer(least, 0);
  return answer(greatest, -5);
}
CUDA_API int cudaDeviceGetPCIBusId(char* text, int size, int) {
  return std::snprintf(text, static_cast<size_t>(size), "0000:00:00.0") < 0;
}
CUDA_API int cudaGetDeviceProperties(cudaDeviceProp* known, int) {
  *known = {};
  std::strcpy(known->name, device_name);
  known->totalGlobalMem = total_memory;
  known->sharedMemPerBlock = 49152;
  known->sharedMemPerBlockOptin = 232448;
  known->sharedMemPerMultiprocessor = 233472;
  known->regsPerBlock = known->regsPerMultiprocessor = 65536;
  known->warpSize = 32;
  known->maxThreadsPerBlock = 1024;
  known->maxThreadsPerMultiProcessor = 2048;
  for (int side = 0; side < 3; ++side) {
    known->maxThreadsDim[side] = attribute(2 + side);
    known->maxGridSize[side] = attribute(5 + side);
  }
  known->maxBlocksPerMultiProcessor = 32;
  known->major = 9;
  known->multiProcessorCount = 132;
  known->l2CacheSize = 50 << 20;
  known->unifiedAddressing = 1;
  return 0;
}
CUDA_API const char* cudaGetErrorString(int) { return "an error of a GPU that computes nothing"; }
CUDA_API const char* cudaGetErrorName(int) { return "error"; }

// --- the runtime: memory ---

CUDA_API int cudaMalloc(void** at, size_t size) { return take(at, size, Memory::device); }
CUDA_API int cudaMallocAsync(void** at, size_t size, void*) {
  return take(at, size, Memory::device);
}
CUDA_API int cudaHostAlloc(void** at, size_t size, unsigned) {
  return take(at, size, Memory::host);
}
CUDA_API int cudaFree(void* at) { return give_back(at); }
CUDA_API int cudaFreeAsync(void* at, void*) { return give_back(at); }
CUDA_API int cudaFreeHost(void* at) { return give_back(at); }
CUDA_API int cudaMemcpy(void* to, const void* from, size_t size, int kind) {
  return copy(to, from, size, kind);
}
CUDA_API int cudaMemcpyAsync(void* to, const void* from, size_t size, int kind, void*) {
  return copy(to, from, size, kind);
}
CUDA_API int cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, void*) {
  return copy(to, from, size, cudaMemcpyDeviceToDevice);
}
CUDA_API int cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                               size_t width, size_t height, int, void*) {
  for (size_t row = 0; row < height; ++row)
    copy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch,
         width, cudaMemcpyDeviceToDevice);
  return 0;
}
CUDA_API int cudaMemset(void* to, int value, size_t size) { return fill(to, value, size); }
CUDA_API int cudaMemsetAsync(void* to, int value, size_t size, void*) {
  return fill(to, value, size);
}
CUDA_API int cudaMemGetInfo(size_t* left, size_t* all) {
  answer(left, free_memory);
  return answer(all, total_memory);
}
CUDA_API int cudaPointerGetAttributes(cudaPointerAttributes* known, const void* address) {
  *known = {};
  known->type = static_cast<cudaMemoryType>(place_of(address).memory);
  known->devicePointer = known->hostPointer = const_cast<void*>(address);
  return 0;
}
CUDA_API int cudaGetSymbolAddress(void** at, const void*) {
  static char somewhere[1 << 20];
  return answer(at, static_cast<void*>(somewhere));
}

// --- the runtime: streams, events, kernels ---

CUDA_API int cudaEventCreate(void** event) { return answer(event, handle()); }
CUDA_API int cudaEventCreateWithFlags(void** event, unsigned) { return answer(event, handle()); }
CUDA_API int cudaEventElapsedTime(float* milliseconds, void*, void*) {
  return answer(milliseconds, 1.0f);
}
CUDA_API int cudaStreamCreate(void** stream) { return answer(stream, handle()); }
CUDA_API int cudaStreamCreateWithPriority(void** stream, unsigned, int) {
  return answer(stream, handle());
}
CUDA_API int cudaStreamGetPriority(void*, int* priority) { return answer(priority, 0); }
CUDA_API int cudaStreamIsCapturing(void*, int* status) { return answer(status, 0); }
CUDA_API int cudaStreamGetCaptureInfo(void*, int* status, ...) { return answer(status, 0); }
CUDA_API int cudaLaunchHostFunc(void*, void (*function)(void*), void* argument) {
  function(argument);
  return 0;
}
CUDA_API int cudaStreamAddCallback(void* stream, void (*function)(void*, int, void*),
                                   void* argument, unsigned) {
  function(stream, 0, argument);
  return 0;
}
CUDA_API int cudaFuncGetAttributes(cudaFuncAttributes* known, const void*) {
  *known = {};
  known->maxThreadsPerBlock = 1024;
  known->numRegs = 32;
  known->binaryVersion = known->ptxVersion = 90;
  return 0;
}
CUDA_API int cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* n, const void*, int, size_t) {
  return answer(n, 2);
}
CUDA_API int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* n, const void*, int,
                                                                    size_t, unsigned) {
  return answer(n, 2);
}
CUDA_API int cudaGetDriverEntryPoint(const char* name, void** function, unsigned long long,
                                     int* status) {
  return entry_point(name, function, status, 0);
}
CUDA_API int cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned,
                                              unsigned long long, int* status) {
  return entry_point(name, function, status, 0);
}
CUDA_API void** __cudaRegisterFatBinary(void*) {
  static void* registered[4];
  return registered;
}
CUDA_API char __cudaInitModule(void**) { return 1; }
CUDA_API int __cudaGetKernel(void** kernel, const void* function) {
  return answer(kernel, const_cast<void*>(function));
}

// --- the driver ---

CUDA_API int cuDriverGetVersion(int* version) { return answer(version, CUDA_VERSION_SEEN); }
CUDA_API int cuDeviceGet(int* device, int) { return answer(device, 0); }
CUDA_API int cuDeviceGetCount(int* count) { return answer(count, 1); }
CUDA_API int cuDeviceGetName(char* text, int size, int) {
  return std::snprintf(text, static_cast<size_t>(size), "%s", device_name) < 0;
}
CUDA_API int cuDeviceGetAttribute(int* value, int number, int) {
  return answer(value, attribute(number));
}
CUDA_API int cuCtxGetCurrent(void** context) { return answer(context, handle()); }
CUDA_API int cuCtxGetDevice(int* device) { return answer(device, 0); }
CUDA_API int cuDevicePrimaryCtxRetain(void** context, int) { return answer(context, handle()); }
CUDA_API int cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) {
  answer(flags, 0u);
  return answer(active, 1);
}
CUDA_API int cuModuleLoad(void** module, const char* path) {
  return access(path, R_OK) == 0 ? answer(module, handle()) : 301;  // CUDA_ERROR_FILE_NOT_FOUND
}
CUDA_API int cuModuleLoadData(void** module, const void*) { return answer(module, handle()); }
CUDA_API int cuModuleLoadDataEx(void** module, const void*, unsigned, void*, void*) {
  return answer(module, handle());
}
CUDA_API int cuModuleGetFunction(void** function, void*, const char*) {
  return answer(function, handle());
}
CUDA_API int cuFuncGetAttribute(int* value, int number, void*) {
  return answer(value, number == 0 ? 1024 : 0);
}
CUDA_API int cuStreamIsCapturing(void*, int* status) { return answer(status, 0); }
CUDA_API int cuGetErrorString(int, const char** text) {
  return answer(text, "an error of a GPU that computes nothing");
}
CUDA_API int cuOccupancyMaxActiveClusters(int* n, void*, void*) { return answer(n, 1); }
CUDA_API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* n, void*, int, size_t) {
  return answer(n, 2);
}
CUDA_API int cuPointerGetAttribute(void* value, int number, unsigned long long address) {
  if (number == 2) return answer(static_cast<int*>(value), 2);  // memory type: the device's
  return answer(static_cast<unsigned long long*>(value), address);
}
CUDA_API int cuGetProcAddress_v2(const char* name, void** function, int, unsigned long long,
                                 int* status) {
  return entry_point(name, function, status, 500);  // CUDA_ERROR_NOT_FOUND
}

// --- cuBLAS ---

CUDA_API int cublasCreate_v2(void** library) { return answer(library, handle()); }
CUDA_API int cublasGetMathMode(void*, int* mode) { return answer(mode, 0); }
CUDA_API int cublasGetPointerMode_v2(void*, int* mode) { return answer(mode, 0); }
CUDA_API int cublasLtMatmulDescCreate(void** made, int, int) {
  return answer(made, std::malloc(512));
}
CUDA_API int cublasLtMatmulPreferenceCreate(void** made) { return answer(made, std::malloc(512)); }
CUDA_API int cublasLtMatrixLayoutCreate(void** made, int, uint64_t, uint64_t, int64_t) {
  return answer(made, std::malloc(512));
}
CUDA_API int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int,
                                            void*, int* found) {
  return answer(found, 1);
}

// Calls each kernel that allocates with memory for ever more allocations, until it succeeds, on
// tensors of its own in place of torch's.

#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <new>
#include <vector>

namespace {

thread_local int allocations_left = -1;  // of this thread; -1: any number
int tensors = 0;                         // that nobody has released

void* allocate(std::size_t size, std::size_t alignment) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  return std::aligned_alloc(alignment, (size / alignment + 1) * alignment);
}

enum Type { float32, bfloat16, int32, int64, uint8 };
constexpr int bytes_of[] = {4, 2, 4, 8, 1};

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 16); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }

struct AtenTensorOpaque {
  AtenTensorOpaque(std::vector<std::int64_t> of, std::int32_t type) : sizes(of), dtype(type) {
    std::int64_t count = 1;
    strides.resize(sizes.size());
    for (std::size_t i = sizes.size(); i-- > 0; count *= sizes[i]) strides[i] = count;
    values.resize(static_cast<std::size_t>(count * bytes_of[type]));
    ++tensors;
  }
  ~AtenTensorOpaque() { --tensors; }

  std::vector<std::int64_t> sizes, strides;
  std::int32_t dtype;
  std::vector<char> values;
};

extern "C" {
std::int32_t aoti_torch_dtype_float32() { return float32; }
std::int32_t aoti_torch_dtype_bfloat16() { return bfloat16; }
std::int32_t aoti_torch_dtype_int32() { return int32; }
std::int32_t aoti_torch_dtype_int64() { return int64; }
std::int32_t aoti_torch_dtype_uint8() { return uint8; }
std::int32_t aoti_torch_device_type_cpu() { return 0; }

AOTITorchError aoti_torch_get_data_ptr(AtenTensorHandle tensor, void** values) {
  *values = tensor->values.data();
  return AOTI_TORCH_SUCCESS;
}
AOTITorchError aoti_torch_get_sizes(AtenTensorHandle tensor, std::int64_t** sizes) {
  *sizes = tensor->sizes.data();
  return AOTI_TORCH_SUCCESS;
}
AOTITorchError aoti_torch_get_strides(AtenTensorHandle tensor, std::int64_t** strides) {
  *strides = tensor->strides.data();
  return AOTI_TORCH_SUCCESS;
}
AOTITorchError aoti_torch_get_dtype(AtenTensorHandle tensor, std::int32_t* dtype) {
  *dtype = tensor->dtype;
  return AOTI_TORCH_SUCCESS;
}
AOTITorchError aoti_torch_empty_strided(std::int64_t dimensions, const std::int64_t* sizes,
                                        const std::int64_t*, std::int32_t dtype, std::int32_t,
                                        std::int32_t, AtenTensorHandle* made) try {
  *made = new AtenTensorOpaque({sizes, sizes + dimensions}, dtype);
  return AOTI_TORCH_SUCCESS;
} catch (const std::bad_alloc&) {
  return AOTI_TORCH_FAILURE;
}
AOTITorchError aoti_torch_delete_tensor_object(AtenTensorHandle tensor) {
  delete tensor;
  return AOTI_TORCH_SUCCESS;
}

AOTITorchError aoti_torch_cpu_attention(AtenTensorHandle, AtenTensorHandle, AtenTensorHandle,
                                        AtenTensorHandle, AtenTensorHandle*, AtenTensorHandle*);
AOTITorchError aoti_torch_cpu_deformable_attention(AtenTensorHandle, const std::int64_t*,
                                                   std::int64_t, AtenTensorHandle, AtenTensorHandle,
                                                   AtenTensorHandle*);
AOTITorchError aoti_torch_cpu_most_similar(AtenTensorHandle, AtenTensorHandle, std::int64_t,
                                           AtenTensorHandle*);
}

namespace {

using Call = std::function<AOTITorchError(AtenTensorHandle*)>;

// Whether it failed, and left nothing, until there was memory enough.
bool is_sound(const char* name, const Call& call) {
  const int before = tensors;
  for (int allocations = 0; allocations < 1000; ++allocations) {
    AtenTensorHandle made = nullptr;
    allocations_left = allocations;
    const AOTITorchError error = call(&made);
    allocations_left = -1;
    if (error == AOTI_TORCH_SUCCESS) {
      const bool is_made = made != nullptr && tensors == before + 1;
      std::printf("%s: %d failures\n", name, allocations);
      delete made;
      return is_made && allocations > 3;
    }
    if (made != nullptr || tensors != before) {
      std::printf("%s: a tensor is left where allocation %d fails\n", name, allocations);
      return false;
    }
  }
  return false;
}

}  // namespace

int main() {
  AtenTensorOpaque tokens({5, 2, 16}, float32), rows({5, 16}, float32), offsets({3}, int32);
  auto* bounds = reinterpret_cast<std::int32_t*>(offsets.values.data());
  bounds[1] = 3;
  bounds[2] = 5;
  AtenTensorOpaque values({1, 4, 2, 8}, float32), locations({1, 1, 2, 1, 2, 2}, float32),
      weights({1, 1, 2, 1, 2}, float32);
  const std::int64_t grids[] = {2, 2};
  const bool are_sound[] = {
      is_sound("attention",
               [&](auto made) {
                 return aoti_torch_cpu_attention(&tokens, &tokens, &tokens, &offsets, nullptr,
                                                 made);
               }),
      is_sound("deformable_attention",
               [&](auto made) {
                 return aoti_torch_cpu_deformable_attention(&values, grids, 2, &locations, &weights,
                                                            made);
               }),
      is_sound("most_similar",
               [&](auto made) { return aoti_torch_cpu_most_similar(&rows, &offsets, 1, made); }),
  };
  for (const bool each : are_sound) {
    if (!each) return 1;
  }
  return 0;
}

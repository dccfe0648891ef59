// Tensors by AOTInductor's C interface; a call that fails throws ShimFailed. Nothing here has a
// name outside its file: two models in one process may hold code for different processors.
#pragma once

#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

class ShimFailed {};

void require(bool holds) {
  if (!holds) throw ShimFailed{};
}

void check(AOTITorchError error) { require(error == AOTI_TORCH_SUCCESS); }

template <typename Value>
Value* data(AtenTensorHandle tensor) {
  void* pointer = nullptr;
  check(aoti_torch_get_data_ptr(tensor, &pointer));
  return static_cast<Value*>(pointer);
}

template <std::size_t dimensions>
using Sizes = std::array<std::int64_t, dimensions>;

template <std::size_t dimensions>
Sizes<dimensions> contiguous_strides(const Sizes<dimensions>& sizes) {
  Sizes<dimensions> strides;
  std::int64_t stride = 1;
  for (std::size_t i = dimensions; i-- > 0; stride *= sizes[i]) strides[i] = stride;
  return strides;
}

template <std::size_t dimensions>
struct Layout {
  Sizes<dimensions> sizes, strides;
};

template <std::size_t dimensions>
Layout<dimensions> layout_of(AtenTensorHandle tensor) {
  std::int64_t *sizes = nullptr, *strides = nullptr;
  check(aoti_torch_get_sizes(tensor, &sizes));
  check(aoti_torch_get_strides(tensor, &strides));
  Layout<dimensions> layout;
  std::copy_n(sizes, dimensions, layout.sizes.begin());
  std::copy_n(strides, dimensions, layout.strides.begin());
  return layout;
}

// The sizes of a contiguous tensor; another one is a failure.
template <std::size_t dimensions>
Sizes<dimensions> sizes_of(AtenTensorHandle tensor) {
  const auto [sizes, given_strides] = layout_of<dimensions>(tensor);
  const auto strides = contiguous_strides(sizes);
  for (std::size_t i = 0; i < dimensions; ++i) {
    if (sizes[i] != 1 && given_strides[i] != strides[i]) throw ShimFailed{};
  }
  return sizes;
}

std::int32_t dtype_of(AtenTensorHandle tensor) {
  std::int32_t dtype = 0;
  check(aoti_torch_get_dtype(tensor, &dtype));
  return dtype;
}

// The values of a contiguous vector; one of another dtype or size is a failure.
template <typename Value>
const Value* values_of(AtenTensorHandle tensor, std::int32_t dtype, std::int64_t size) {
  if (dtype_of(tensor) != dtype || sizes_of<1>(tensor) != Sizes<1>{size}) throw ShimFailed{};
  return data<const Value>(tensor);
}

// Where each image begins, and the end; rows beyond those of the tensors are a failure.
std::vector<std::int64_t> bounds_of(AtenTensorHandle offsets, std::int64_t rows) {
  const auto [count] = sizes_of<1>(offsets);
  const auto* given = values_of<std::int32_t>(offsets, aoti_torch_dtype_int32(), count);
  std::vector<std::int64_t> bounds(given, given + count);
  if (!std::is_sorted(bounds.begin(), bounds.end())) throw ShimFailed{};
  if (count > 0 && (bounds.front() < 0 || bounds.back() > rows)) throw ShimFailed{};
  return bounds;
}

// Whether a tensor is of bfloat16; what is neither that nor float32 is a failure.
bool is_bfloat16(AtenTensorHandle tensor) {
  const auto dtype = dtype_of(tensor);
  const bool narrow = dtype == aoti_torch_dtype_bfloat16();
  if (!narrow && dtype != aoti_torch_dtype_float32()) throw ShimFailed{};
  return narrow;
}

// A new tensor on the host, released unless it is given to whoever called the operator: after a
// failure nobody else would.
class Output {
 public:
  template <std::size_t dimensions>
  Output(const Sizes<dimensions>& sizes, std::int32_t dtype) {
    const auto strides = contiguous_strides(sizes);
    check(aoti_torch_empty_strided(dimensions, sizes.data(), strides.data(), dtype,
                                   aoti_torch_device_type_cpu(), 0, &tensor_));
  }
  ~Output() {
    if (tensor_ != nullptr) aoti_torch_delete_tensor_object(tensor_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  template <typename Value>
  Value* values() const {
    return data<Value>(tensor_);
  }
  void give(AtenTensorHandle* target) { *target = std::exchange(tensor_, nullptr); }

 private:
  AtenTensorHandle tensor_ = nullptr;
};

// What an operator gives back after its work; nothing that is thrown in it may leave it.
template <typename Work>
AOTITorchError outcome_of(const Work& work) noexcept {
  try {
    work();
    return AOTI_TORCH_SUCCESS;
  } catch (...) {  // a call that failed, or no memory
    return AOTI_TORCH_FAILURE;
  }
}

}  // namespace

#include "backends/engine_input.hpp"

#include <ATen/ops/clone.h>
#include <c10/util/StringUtil.h>

#include <cstdint>
#include <stdexcept>

namespace mpm {

namespace {

// Bytes that an address is a multiple of: what TensorRT asks for on a GPU, and where libtorch puts
// what it makes on a CPU, where nothing asks.
constexpr std::uintptr_t border_on_gpu = 256;
constexpr std::uintptr_t border_on_cpu = 64;

bool lies_well(const at::Tensor& tensor) {
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  return address % (tensor.is_cuda() ? border_on_gpu : border_on_cpu) == 0;
}

}  // namespace

at::Tensor readable(const std::string& name, const at::Tensor& given, at::ScalarType type,
                    const at::Device& device) {
  const std::string expected =
      c10::str(name, ": expected a contiguous ", type, " on ", device, ", got ");
  if (given.scalar_type() != type || given.device() != device)
    throw std::runtime_error(c10::str(expected, given.scalar_type(), " on ", given.device()));
  if (!given.is_contiguous()) {
    throw std::runtime_error(
        c10::str(expected, "strides ", given.strides(), " of ", given.sizes()));
  }
  return lies_well(given) ? given : given.clone();
}

}  // namespace mpm

#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace mpm {

// Gives an input as an engine reads it: where it lies, or copied where none may lie there. An image
// of a batch may begin anywhere, as where its size is a multiple of 14. name: of the input. type,
// device: what the engine takes. Throws std::runtime_error: it is of another type, on another
// device, or not contiguous.
at::Tensor readable(const std::string& name, const at::Tensor& given, at::ScalarType type,
                    const at::Device& device);

}  // namespace mpm

#pragma once

// What the CUDA driver says of the GPUs. It is asked by name, at run time: no CUDA header or
// library is needed, and a machine without a driver simply has no GPU.

#include <array>
#include <optional>
#include <string>

namespace mpm {

struct Gpu {
  std::string name;
  std::array<int, 2> capability;  // major, minor
};

// A capability as it is written: "8.6".
std::string written(const std::array<int, 2>& capability);

bool has_cuda_driver();

int gpu_count();

// Nothing where there is no such GPU.
std::optional<Gpu> find_gpu(int index);

}  // namespace mpm

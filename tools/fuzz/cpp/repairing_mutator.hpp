#pragma once

// libFuzzer's mutation of a format with checksums: most are made true again, so that damage goes
// deeper than to them. To be included once by a target, which defines repair_checksums.

#include <cstddef>
#include <cstdint>
#include <span>

namespace mpm::fuzz {

void repair_checksums(std::span<std::uint8_t> file);

}  // namespace mpm::fuzz

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, most);
  if (seed % 16 != 0) mpm::fuzz::repair_checksums({data, mutated});
  return mutated;
}

#pragma once

#include <cstdint>
#include <cstring>

// Vector code in one spelling for every processor: vectors of four lanes, which all of them have,
// and plain loops, which the compiler (GCC or Clang) makes as wide as the processor is.
//
// A VECTORISED function is compiled for AVX-512, AVX2 and the least x86-64 there is; the one that
// fits is chosen when the library is loaded. What it calls must be INLINE, to be compiled with it.
// Elsewhere the compiler's own target has vectors: NEON on Arm.

#if defined(__clang__)
#define MPM_KNOWS_LEVELS (__clang_major__ >= 17)
#else
#define MPM_KNOWS_LEVELS (__GNUC__ >= 12)
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && MPM_KNOWS_LEVELS
#define VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORISED
#endif
#define INLINE [[gnu::always_inline]] inline
#define INLINE_LAMBDA __attribute__((always_inline))

namespace mpm::kernels {

using FourFloats = float __attribute__((vector_size(16)));
using FourIntegers = std::int32_t __attribute__((vector_size(16)));

// Pixels that are worked on together: enough for their comparisons not to wait for one another.
constexpr std::int64_t lanes = 16;
constexpr std::int64_t vectors = lanes / 4;

}  // namespace mpm::kernels

// Products in bfloat16 by Intel's AMX, which multiplies tiles of 16 rows of 64 bytes. Code for it
// is in every file for AVX-512, and runs where a processor has it.
#pragma once

#include "products.h"

#if defined(__AVX512DQ__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES __attribute__((target("amx-tile,amx-bf16")))

namespace {

// Two tiles by two:
//                      6      7
//                  ┌──────┬──────┐
//               4  │  0   │  1   │  16 rows
//                  ├──────┼──────┤
//               5  │  2   │  3   │
//                  └──────┴──────┘
//                   16 columns
struct Tiles {
  static constexpr std::int64_t rows = 32, columns = 32, rows_at_once = 32;
  static constexpr std::int64_t depth_at_once = 1 << 30;  // all: no sums are read again

  // While it is open, a thread has tiles.
  struct Session {
    TILES Session() {
      // Static, as GCC takes the instruction to read no more than 8 bytes.
      static const Configuration all;
      _tile_loadconfig(&all);
    }
    TILES ~Session() { _tile_release(); }
  };

  // Depth is a multiple of 16. GCC does not know what a tile is loaded from: inlined, stores before
  // it could come after it.
  TILES [[gnu::noinline]] static void multiply(const Factors& of, const Result& to, std::int64_t) {
    constexpr std::int64_t right_stride = panel * word_bytes, half = 16;
    const std::int64_t stride = to.stride * static_cast<std::int64_t>(sizeof(float));
    float* lower = to.values + half * to.stride;
    if (to.fresh) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    } else {
      _tile_loadd(0, to.values, stride);
      _tile_loadd(1, to.values + half, stride);
      _tile_loadd(2, lower, stride);
      _tile_loadd(3, lower + half, stride);
    }
    for (std::int64_t word = 0; word < of.depth; word += half) {
      const char* left = of.left + word * word_bytes;
      const char* right = of.right + word * right_stride;
      _tile_loadd(4, left, of.left_stride);
      _tile_loadd(6, right, right_stride);
      _tile_loadd(7, right + half * word_bytes, right_stride);
      _tile_loadd(5, left + half * of.left_stride, of.left_stride);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, to.values, stride);
    _tile_stored(1, to.values + half, stride);
    _tile_stored(2, lower, stride);
    _tile_stored(3, lower + half, stride);
  }

 private:
  // As the instruction reads it.
  struct alignas(64) Configuration {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
};

// Whether this processor has tiles of bfloat16 and this process may use them, for which Linux is
// asked: they add 8 KiB to what it keeps of each thread.
bool has_tiles() {
  static const bool has = [] {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    constexpr unsigned amx_bfloat16 = 1U << 22, amx_tile = 1U << 24;
    if ((edx & amx_bfloat16) == 0 || (edx & amx_tile) == 0) return false;
    constexpr long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return has;
}

}  // namespace
#endif

// Products of matrices by words of 32 bits: one float, or two numbers of bfloat16 side by side,
// whose products are added at once.
//
//     result (rows, columns) = left (rows, depth) · right (depth, columns), depth in words
//
// The right side lies in panels, as wide as the part of a result that registers hold:
//
//     columns   0 … 63    64 … 127
//              ┌───────┐ ┌───────┐
//     depth    │       │ │       │     one after the other, each row by row
//              └───────┘ └───────┘
//
// Nothing here has a name outside its file, as in tensors.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "vectors.h"

namespace {

using Word = std::int32_t;

constexpr std::int64_t word_bytes = sizeof(Word);

template <typename Element>
constexpr std::int64_t per_word = word_bytes / static_cast<std::int64_t>(sizeof(Element));

#if defined(__AVX512F__)
constexpr int panel_vectors = 4;  // and six rows of them: 24 of 32 registers
#else
constexpr int panel_vectors = 2;  // 12 of 16
#endif
constexpr std::int64_t panel = panel_vectors * lanes;  // words

// Strides are from row to row, in bytes; of the right side it is that of a panel.
struct Factors {
  const char* left;
  std::int64_t left_stride;
  const char* right;
  std::int64_t depth;
};

struct Result {
  float* values;
  std::int64_t stride;  // floats
  bool fresh;           // whether it is written, and not added to
};

// Two floats of each lane, or two pairs of bfloat16.
template <typename Element>
INLINE Floats multiply_add(Floats sum, Integers a, Integers b) {
  if constexpr (std::is_same_v<Element, float>) {
    return std::bit_cast<Floats>(a) * std::bit_cast<Floats>(b) + sum;
  } else {
#if defined(__AVX512BF16__)
    return _mm512_dpbf16_ps(sum, std::bit_cast<__m512bh>(a), std::bit_cast<__m512bh>(b));
#else
    constexpr Word upper = static_cast<Word>(0xffff0000);
    sum = std::bit_cast<Floats>(a << 16) * std::bit_cast<Floats>(b << 16) + sum;
    return std::bit_cast<Floats>(a & upper) * std::bit_cast<Floats>(b & upper) + sum;
#endif
  }
}

// Multiplies in the registers of a vector unit.
template <typename Element>
struct Vectors {
  static constexpr std::int64_t rows = 6, columns = panel;  // of one part of the result
  static constexpr std::int64_t rows_at_once = 8 * rows;    // of which a panel's words are used
  static constexpr std::int64_t depth_at_once = 64;  // words of a panel, 16 KiB: they stay near

  struct Session {};  // nothing to prepare

  // `wanted` columns of a panel, or all.
  static void multiply(const Factors& of, const Result& to, std::int64_t wanted) {
    const std::int64_t vectors = (wanted + lanes - 1) / lanes;
    if (vectors >= panel_vectors) return multiply_part<panel_vectors>(of, to);
    if constexpr (panel_vectors == 4) {
      if (vectors == 3) return multiply_part<3>(of, to);
      if (vectors == 2) return multiply_part<2>(of, to);
    }
    multiply_part<1>(of, to);
  }

 private:
  template <int vectors>
  static void multiply_part(const Factors& of, const Result& to) {
    Floats sums[rows][vectors];
#pragma GCC unroll 6
    for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 4
      for (int i = 0; i < vectors; ++i) {
        sums[row][i] =
            to.fresh ? Floats{} : load(to.values + row * to.stride + i * lanes, lanes, 0);
      }
    }
    for (std::int64_t word = 0; word < of.depth; ++word) {
      const char* right = of.right + word * panel * word_bytes;
      const char* left = of.left + word * word_bytes;
      Integers across[vectors];
#pragma GCC unroll 4
      for (int i = 0; i < vectors; ++i) {
        across[i] = read(right + i * lanes * word_bytes, lanes * word_bytes, Integers{});
      }
#pragma GCC unroll 6
      for (int row = 0; row < rows; ++row) {
        Word down;
        std::memcpy(&down, left + row * of.left_stride, sizeof(down));
#pragma GCC unroll 4
        for (int i = 0; i < vectors; ++i) {
          sums[row][i] = multiply_add<Element>(sums[row][i], down - Integers{}, across[i]);
        }
      }
    }
#pragma GCC unroll 6
    for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 4
      for (int i = 0; i < vectors; ++i) {
        store(sums[row][i], to.values + row * to.stride + i * lanes, lanes);
      }
    }
  }
};

// Multiplies all of a few rows, which are padded to whole parts of the unit; the result's too.
template <typename Unit>
INLINE void multiply(const Factors& of, std::int64_t rows, std::int64_t columns, float* result,
                     std::int64_t stride) {
  for (std::int64_t word = 0; word < of.depth; word += Unit::depth_at_once) {
    const std::int64_t deep = std::min<std::int64_t>(Unit::depth_at_once, of.depth - word);
    for (std::int64_t column = 0; column < columns; column += Unit::columns) {
      const std::int64_t inside = column % panel, before = column - inside;
      const char* right = of.right + (before * of.depth + word * panel + inside) * word_bytes;
      for (std::int64_t row = 0; row < rows; row += Unit::rows) {
        const char* left = of.left + row * of.left_stride + word * word_bytes;
        Unit::multiply({left, of.left_stride, right, deep},
                       {result + row * stride + column, stride, word == 0}, columns - column);
      }
    }
  }
}

}  // namespace

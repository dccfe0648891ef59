// One register of floats, read from and written to rows of float32 or bfloat16. Nothing here has a
// name outside its file, as in tensors.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// What handles one vector is part of the loop around it: a count of `lanes` is then known there.
#define INLINE [[gnu::always_inline]] inline
#define INLINE_LAMBDA __attribute__((always_inline))

namespace {

// Of one register: where GCC splits a wider vector, it compares and selects lane by lane.
#if defined(__AVX512F__)
constexpr std::int64_t lanes = 16;
#elif defined(__AVX2__)
constexpr std::int64_t lanes = 8;
#else
constexpr std::int64_t lanes = 4;
#endif

using Floats = float __attribute__((vector_size(lanes * sizeof(float))));
using Integers = std::int32_t __attribute__((vector_size(lanes * sizeof(std::int32_t))));
using Words = std::uint16_t __attribute__((vector_size(lanes * sizeof(std::uint16_t))));

using bfloat16 = std::uint16_t;  // the upper half of a float's bits

INLINE Floats fill(float value) { return value - Floats{}; }

// The first `count` lanes, and the others as given.
template <typename Vector, typename Element>
INLINE Vector read(const Element* source, std::int64_t count, Vector others) {
  Vector vector = others;
  std::memcpy(&vector, source, static_cast<std::size_t>(count) * sizeof(Element));
  return vector;
}

// What AVX-512 has an instruction for and GCC makes several of, and beside it what that does.
#if defined(__AVX512F__)

INLINE Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }

INLINE Floats floor(Floats x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF); }

INLINE Floats times_power_of_two(Floats x, Floats n) { return _mm512_scalef_ps(x, n); }

INLINE Integers widen(Words words) {
  return std::bit_cast<Integers>(_mm512_cvtepu16_epi32(std::bit_cast<__m256i>(words)));
}

#else

INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }  // of NaN and b: b

INLINE Floats floor(Floats x) {                                 // of -2^22 to 0
  const Integers below = __builtin_convertvector(x, Integers);  // cut: towards zero
  const Floats cut = __builtin_convertvector(below, Floats);
  return cut > x ? cut - 1.0F : cut;
}

INLINE Floats times_power_of_two(Floats x, Floats n) {  // n >= -126
  return x * std::bit_cast<Floats>((__builtin_convertvector(n, Integers) + 127) << 23);
}

INLINE Integers widen(Words words) { return __builtin_convertvector(words, Integers); }

#endif

// Rounds to the nearest, and half-way to the even one.
INLINE Words narrow(Floats values) {
#if defined(__AVX512BF16__)
  return std::bit_cast<Words>(_mm512_cvtneps_pbh(values));
#else
  const auto bits = std::bit_cast<Integers>(values);
  return __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Words);
#endif
}

// Of a row that ends before the vector does, what is beyond is `beyond`: zero or an infinity.
INLINE Floats load(const float* source, std::int64_t count, float beyond) {
  return read(source, count, fill(beyond));
}

INLINE Floats load(const bfloat16* source, std::int64_t count, float beyond) {
  const auto upper_half = static_cast<bfloat16>(std::bit_cast<std::uint32_t>(beyond) >> 16);
  return std::bit_cast<Floats>(widen(read(source, count, upper_half + Words{})) << 16);
}

INLINE void store(Floats values, float* target, std::int64_t count) {
  std::memcpy(target, &values, static_cast<std::size_t>(count) * sizeof(float));
}

INLINE void store(Floats values, bfloat16* target, std::int64_t count) {
  const Words words = narrow(values);
  std::memcpy(target, &words, static_cast<std::size_t>(count) * sizeof(bfloat16));
}

// Calls act(column, count, turn) for each vector of a row. Whole ones come two at a time, of turns
// 0 and 1, so that a sum of the one does not wait for that of the other; then the rest, of turn 0.
template <typename Act>
INLINE void for_each_vector(std::int64_t columns, Act act) {
  std::int64_t column = 0;
  for (; column + 2 * lanes <= columns; column += 2 * lanes) {
    act(column, lanes, 0);
    act(column + lanes, lanes, 1);
  }
  for (; column < columns; column += lanes) act(column, std::min(lanes, columns - column), 0);
}

}  // namespace

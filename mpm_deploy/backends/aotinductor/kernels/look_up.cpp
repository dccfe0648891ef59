// mpm::look_up (mpm_deploy/ops/byte_table) as a compiled model calls it. It is compiled for this
// processor and linked into the model's own library.
//
// AVX-512 VBMI chooses among the 128 bytes of two registers by seven bits of an index; the eighth
// chooses between two such pairs. Code for it is in every file for x86-64, and runs where it can.

#include <algorithm>
#include <cstdint>

#include "tensors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using Byte = std::uint8_t;
using LookUp = void (*)(const Byte* values, std::int64_t count, const Byte* table, Byte* found);

void look_up_each(const Byte* values, std::int64_t count, const Byte* table, Byte* found) {
  std::transform(values, values + count, found, [&](Byte value) { return table[value]; });
}

#if defined(__x86_64__)
__attribute__((target("avx512vbmi,avx512bw"))) void look_up_64(const Byte* values,
                                                               std::int64_t count,
                                                               const Byte* table, Byte* found) {
  const __m512i part0 = _mm512_loadu_si512(table), part1 = _mm512_loadu_si512(table + 64);
  const __m512i part2 = _mm512_loadu_si512(table + 128), part3 = _mm512_loadu_si512(table + 192);
  for (std::int64_t i = 0; i < count; i += 64) {
    const __mmask64 inside = count - i < 64 ? (__mmask64{1} << (count - i)) - 1 : ~__mmask64{0};
    const __m512i index = _mm512_maskz_loadu_epi8(inside, values + i);
    const __m512i lower = _mm512_permutex2var_epi8(part0, index, part1);
    const __m512i upper = _mm512_permutex2var_epi8(part2, index, part3);
    const __m512i either = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), lower, upper);
    _mm512_mask_storeu_epi8(found + i, inside, either);
  }
}
#endif

LookUp choose() {
#if defined(__x86_64__) && !defined(MPM_NOTHING_CHOSEN)
  if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) return look_up_64;
#endif
  return look_up_each;
}

void look_up(const Byte* values, std::int64_t count, const Byte* table, Byte* found) {
  static const LookUp look_up_here = choose();
  constexpr std::int64_t at_once = 1 << 14;  // of which one thread makes a few microseconds
#pragma omp parallel for
  for (std::int64_t i = 0; i < count; i += at_once) {
    look_up_here(values + i, std::min(at_once, count - i), table, found + i);
  }
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// values: (T, M) uint8, contiguous; table: (256,) uint8.
// *found: (T, M) uint8.
extern "C" AOTITorchError aoti_torch_cpu_look_up(AtenTensorHandle values, AtenTensorHandle table,
                                                 AtenTensorHandle* found) {
  return outcome_of([&] {
    const auto bytes = aoti_torch_dtype_uint8();
    require(dtype_of(values) == bytes && dtype_of(table) == bytes);
    require(sizes_of<1>(table) == Sizes<1>{256});
    const auto sizes = sizes_of<2>(values);
    Output output(sizes, bytes);
    look_up(data<const Byte>(values), sizes[0] * sizes[1], data<const Byte>(table),
            output.values<Byte>());
    output.give(found);
  });
}

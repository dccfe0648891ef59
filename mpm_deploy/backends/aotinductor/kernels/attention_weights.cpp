// mpm::attention_weights (mpm_deploy/ops/attention/weights.py) as a compiled model calls it. It is
// compiled for this processor and linked into the model's own library.
//
//     scores ─▶ largest of the row ─▶ exp(score * scale + key_log_weight - largest) ─▶ weights, sum
//
// The exponential, e^x = 2^n * e^r with x = n * ln 2 + r and |r| <= ln 2 / 2: e^r is its Taylor
// polynomial of the sixth degree (error below 2e-7 of it), and 2^n goes into the exponent's bits.

#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

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

INLINE Floats nearest(Floats x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT); }

INLINE Floats times_power_of_two(Floats x, Floats n) { return _mm512_scalef_ps(x, n); }

INLINE Integers widen(Words words) {
  return std::bit_cast<Integers>(_mm512_cvtepu16_epi32(std::bit_cast<__m256i>(words)));
}

#else

INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }  // of NaN and b: b

INLINE Floats nearest(Floats x) {          // of -2^22 to 0
  const Floats shift = fill(12582912.0F);  // 1.5 * 2^23: behind it is no room for a fraction
  return x + shift - shift;
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

// Beyond `count` are minus infinities: columns that weigh nothing.
INLINE Floats load(const float* source, std::int64_t count) {
  return read(source, count, fill(-std::numeric_limits<float>::infinity()));
}

INLINE Floats load(const bfloat16* source, std::int64_t count) {
  constexpr bfloat16 minus_infinity = 0xff80;
  return std::bit_cast<Floats>(widen(read(source, count, minus_infinity + Words{})) << 16);
}

INLINE void store(Floats values, float* target, std::int64_t count) {
  std::memcpy(target, &values, static_cast<std::size_t>(count) * sizeof(float));
}

INLINE void store(Floats values, bfloat16* target, std::int64_t count) {
  const Words words = narrow(values);
  std::memcpy(target, &words, static_cast<std::size_t>(count) * sizeof(bfloat16));
}

// e^x for x <= 0, and e^-87 (1e-38) for less than that. NaN stays NaN.
INLINE Floats exponential(Floats x) {
  x = larger(fill(-87.0F), x);
  const Floats n = nearest(x * 1.44269504F);
  const Floats r = x - n * 0.693359375F + n * 2.12194440e-4F;  // ln 2 in two parts
  Floats power = r * (1.0F / 720) + 1.0F / 120;
  power = power * r + 1.0F / 24;
  power = power * r + 1.0F / 6;
  power = power * r + 0.5F;
  power = power * r + 1.0F;
  power = power * r + 1.0F;
  return times_power_of_two(power, n);
}

template <typename Element>
struct Row {
  const Element* scores;
  const float* key_log_weight;  // null: zeros
  float scale;

  INLINE Floats operator()(std::int64_t column, std::int64_t count) const {
    const Floats scaled = load(scores + column, count) * scale;
    return key_log_weight == nullptr ? scaled
                                     : scaled + read(key_log_weight + column, count, Floats{});
  }
};

// Whole vectors two at a time, so that one does not wait for the other, and the rest.
template <typename Two, typename Rest>
void for_each_vector(std::int64_t columns, Two two, Rest rest) {
  std::int64_t column = 0;
  for (; column + 2 * lanes <= columns; column += 2 * lanes) two(column);
  for (; column < columns; column += lanes) rest(column, std::min(lanes, columns - column));
}

template <typename Element>
float largest(const Row<Element>& row, std::int64_t columns) {
  const Floats lowest = fill(-std::numeric_limits<float>::infinity());
  Floats even = lowest, odd = lowest;
  for_each_vector(
      columns,
      [&](std::int64_t column) {
        even = larger(row(column, lanes), even);
        odd = larger(row(column + lanes, lanes), odd);
      },
      [&](std::int64_t column, std::int64_t count) { even = larger(row(column, count), even); });
  const Floats both = larger(even, odd);
  float found = both[0];
  for (int lane = 1; lane < lanes; ++lane) found = std::max(found, both[lane]);
  return found;
}

// Returns the sum, of weights that are not rounded yet.
template <typename Element>
float weigh(const Row<Element>& row, std::int64_t columns, Element* weights) {
  const float highest = largest(row, columns);
  Floats even{}, odd{};
  const auto weight = [&](std::int64_t column, std::int64_t count) INLINE_LAMBDA {
    const Floats values = exponential(row(column, count) - highest);
    store(values, weights + column, count);
    return values;
  };
  for_each_vector(
      columns,
      [&](std::int64_t column) {
        even += weight(column, lanes);
        odd += weight(column + lanes, lanes);
      },
      [&](std::int64_t column, std::int64_t count) { even += weight(column, count); });
  const Floats both = even + odd;
  float sum = 0;
  for (int lane = 0; lane < lanes; ++lane) sum += both[lane];
  return sum;
}

template <typename Element>
void weigh_all(const void* scores, const float* key_log_weight, float scale, std::int64_t rows,
               std::int64_t columns, void* weights, float* sums) {
#pragma omp parallel for
  for (std::int64_t i = 0; i < rows; ++i) {
    const Row<Element> row{static_cast<const Element*>(scores) + i * columns, key_log_weight,
                           scale};
    sums[i] = weigh(row, columns, static_cast<Element*>(weights) + i * columns);
  }
}

class ShimFailed {};

void check(AOTITorchError error) {
  if (error != AOTI_TORCH_SUCCESS) throw ShimFailed{};
}

template <typename Value>
Value* data(AtenTensorHandle tensor) {
  void* pointer = nullptr;
  check(aoti_torch_get_data_ptr(tensor, &pointer));
  return static_cast<Value*>(pointer);
}

AtenTensorHandle empty(std::int64_t rows, std::int64_t columns, std::int32_t dtype) {
  const std::int64_t sizes[] = {rows, columns}, strides[] = {columns, 1};
  AtenTensorHandle tensor = nullptr;
  check(
      aoti_torch_empty_strided(2, sizes, strides, dtype, aoti_torch_device_type_cpu(), 0, &tensor));
  return tensor;
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// scores: (n, m) contiguous; key_log_weight: (m,) float32, or null.
// *weights: (n, m); *sums: (n, 1).
extern "C" AOTITorchError aoti_torch_cpu_attention_weights(AtenTensorHandle scores, double scale,
                                                           AtenTensorHandle* key_log_weight,
                                                           AtenTensorHandle* weights,
                                                           AtenTensorHandle* sums) try {
  std::int64_t *sizes = nullptr, *strides = nullptr;
  std::int32_t dtype = 0;
  check(aoti_torch_get_sizes(scores, &sizes));
  check(aoti_torch_get_strides(scores, &strides));
  check(aoti_torch_get_dtype(scores, &dtype));
  const std::int64_t rows = sizes[0], columns = sizes[1];
  const bool narrow = dtype == aoti_torch_dtype_bfloat16();
  const bool known = narrow || dtype == aoti_torch_dtype_float32();
  const bool contiguous = (columns == 1 || strides[1] == 1) && (rows == 1 || strides[0] == columns);
  if (!known || !contiguous) return AOTI_TORCH_FAILURE;
  *weights = empty(rows, columns, dtype);
  *sums = empty(rows, 1, aoti_torch_dtype_float32());
  const auto* added = key_log_weight == nullptr ? nullptr : data<const float>(*key_log_weight);
  const auto weigh_them = narrow ? weigh_all<bfloat16> : weigh_all<float>;
  weigh_them(data<const void>(scores), added, static_cast<float>(scale), rows, columns,
             data<void>(*weights), data<float>(*sums));
  return AOTI_TORCH_SUCCESS;
} catch (const ShimFailed&) {
  return AOTI_TORCH_FAILURE;
}

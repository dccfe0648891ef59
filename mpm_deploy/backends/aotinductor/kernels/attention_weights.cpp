// mpm::attention_weights (mpm_deploy/ops/attention/weights.py) as a compiled model calls it. It is
// compiled for this processor and linked into the model's own library.
//
//     scores ─▶ largest of the row ─▶ exp(score * scale + key_log_weight - largest) ─▶ weights, sum
//
// The exponential, e^x = 2^n * e^r with x = n * ln 2 + r and |r| <= ln 2 / 2: e^r is its Taylor
// polynomial of the sixth degree (error below 2e-7 of it), and 2^n goes into the exponent's bits.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "tensors.h"
#include "vectors.h"

namespace {

// Columns beyond the last weigh nothing.
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

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
    const Floats scaled = load(scores + column, count, minus_infinity) * scale;
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
  const Floats lowest = fill(minus_infinity);
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

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// scores: (n, m) contiguous; key_log_weight: (m,) float32, or null.
// *weights: (n, m); *sums: (n, 1).
extern "C" AOTITorchError aoti_torch_cpu_attention_weights(AtenTensorHandle scores, double scale,
                                                           AtenTensorHandle* key_log_weight,
                                                           AtenTensorHandle* weights,
                                                           AtenTensorHandle* sums) try {
  const auto [rows, columns] = sizes_of<2>(scores);
  const bool narrow = is_bfloat16(scores);
  *weights = empty<2>({rows, columns}, narrow);
  *sums = empty<2>({rows, 1}, false);
  const auto* added = key_log_weight == nullptr ? nullptr : data<const float>(*key_log_weight);
  const auto weigh_them = narrow ? weigh_all<bfloat16> : weigh_all<float>;
  weigh_them(data<const void>(scores), added, static_cast<float>(scale), rows, columns,
             data<void>(*weights), data<float>(*sums));
  return AOTI_TORCH_SUCCESS;
} catch (const ShimFailed&) {
  return AOTI_TORCH_FAILURE;
}

// The softmax of a row of scores up to the division. Nothing here has a name outside its file, as
// in tensors.h.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "vectors.h"

namespace {

constexpr float binary_exponent_of_e = 1.44269504F;  // e^x = 2^(x * this)

// 2^x for 0 <= x < 1, as exactly as an element holds it (relative error 1e-7, or 8e-5): the
// polynomials of least largest relative error.
template <typename Element>
INLINE Floats power_of_fraction(Floats x) {
  if constexpr (std::is_same_v<Element, float>) {
    Floats power = x * 0.00187757669F + 0.00898933969F;
    power = power * x + 0.0558263175F;
    power = power * x + 0.240153611F;
    power = power * x + 0.693153083F;
    power = power * x + 0.99999994F;
    return power;
  } else {
    Floats power = x * 0.0780245215F + 0.226067156F;
    power = power * x + 0.695833564F;
    power = power * x + 0.999925196F;
    return power;
  }
}

// 2^x for x <= 0, and 2^-126 (1e-38) for less than that. NaN stays NaN.
template <typename Element>
INLINE Floats power_of_two(Floats x) {
  x = larger(fill(-126.0F), x);
  return times_power_of_two(power_of_fraction<Element>(fraction(x)), x);
}

// A row of scores (columns,), to which weights of the keys are added where there are any.
template <bool weighted>
struct Scores {
  const float* values;
  const float* key_log_weight;
  float scale;  // above 0

  // In the order that they have when they are scaled. Columns beyond the last weigh next to
  // nothing.
  INLINE Floats operator()(std::int64_t column, std::int64_t count) const {
    const Floats raw = load(values + column, count, -std::numeric_limits<float>::infinity());
    if constexpr (!weighted) return raw;
    return raw * scale + load(key_log_weight + column, count, 0);
  }

  // What they are below the largest of them, of which exactly nothing is left: were it scaled
  // before it is taken off, large scores would differ from it by what that rounds.
  INLINE Floats below(float largest, std::int64_t column, std::int64_t count) const {
    const Floats difference = (*this)(column, count) - largest;
    return weighted ? difference : difference * scale;
  }
};

template <bool weighted>
INLINE float largest(const Scores<weighted>& scores, std::int64_t columns) {
  const Floats lowest = fill(-std::numeric_limits<float>::infinity());
  Floats found[2] = {lowest, lowest};
  for_each_vector(columns, [&](std::int64_t column, std::int64_t count, int turn) INLINE_LAMBDA {
    found[turn] = larger(scores(column, count), found[turn]);
  });
  const Floats both = larger(found[0], found[1]);
  float most = both[0];
  for (int lane = 1; lane < lanes; ++lane) most = std::max(most, both[lane]);
  return most;
}

// Writes 2^(score - largest) of each column, and returns their sum before they are rounded.
template <typename Element, bool weighted>
float weigh(const Scores<weighted>& scores, std::int64_t columns, Element* weights) {
  const float most = largest(scores, columns);
  Floats sums[2] = {};
  for_each_vector(columns, [&](std::int64_t column, std::int64_t count, int turn) INLINE_LAMBDA {
    const Floats values = power_of_two<Element>(scores.below(most, column, count));
    store(values, weights + column, count);
    sums[turn] += values;
  });
  const Floats both = sums[0] + sums[1];
  float sum = 0;
  for (int lane = 0; lane < lanes; ++lane) sum += both[lane];
  return sum;
}

}  // namespace

// mpm::attention (mpm_deploy/ops/attention/fused.py) as a compiled model calls it. It is compiled
// for this processor and linked into the model's own library.
//
//     keys (n, D) ───▶ panels ───┐
//     queries (few, D) ──────────┴─▶ scores (few, n) ─▶ weights (few, n) ──┐
//     values (n, D) ─▶ panels ─────────────────────────────────────────────┴─▶ attended (few, D)
//
// All scores of a few queries are computed and weighed before any value is taken: they stay in the
// second cache, where those of all queries would go through memory.

#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <type_traits>
#include <vector>

#include "panels.h"
#include "products.h"
#include "softmax.h"
#include "tensors.h"
#include "tiles.h"
#include "vectors.h"

namespace {

// (T, heads, D), as one layer writes queries, keys and values side by side. Strides are of
// elements.
template <typename Element>
struct Rows {
  const Element* values;
  std::int64_t stride, head_stride;

  const Element* at(std::int64_t row, std::int64_t head) const {
    return values + row * stride + head * head_stride;
  }
};

// How many rows an image has and how wide a head is; and what that is in words, padded with zeros
// to whole panels and, in depth, to whole tiles.
template <typename Element>
struct Extent {
  std::int64_t rows, width;

  std::int64_t key_depth() const { return depth(width); }
  std::int64_t key_columns() const { return rounded_up(rows, panel); }
  std::int64_t value_depth() const { return depth(rows); }
  std::int64_t value_columns() const { return rounded_up(width, panel); }

 private:
  static std::int64_t depth(std::int64_t elements) {
    constexpr std::int64_t tile_depth = 16;
    return rounded_up(elements, tile_depth * per_word<Element>) / per_word<Element>;
  }
};

// Values of one head. A line of words holds a row's, or two rows' in bfloat16, the first below.
template <typename Element>
void pack_values(const Element* values, std::int64_t stride, const Extent<Element>& of,
                 Word* panels) {
  constexpr std::int64_t rows = per_word<Element>;
  for (std::int64_t word = 0; word < of.value_depth(); ++word) {
    const std::int64_t here = std::clamp<std::int64_t>(of.rows - word * rows, 0, rows);
    for (std::int64_t first = 0; first < of.width; first += panel) {
      const std::int64_t count = std::min(panel, of.width - first);
      const Element* lower = values + word * rows * stride + first;
      Word* line = panels + first * of.value_depth() + word * panel;
      if (here < rows || count < panel) std::fill(line, line + panel, 0);
      if (here == 0) continue;
      if constexpr (rows == 1) {
        std::memcpy(line, lower, static_cast<std::size_t>(count * word_bytes));
      } else if (here == 1) {
        std::copy(lower, lower + count, line);
      } else {
        const Element* upper = lower + stride;
        for (std::int64_t i = 0; i < count; ++i) line[i] = lower[i] | Word{upper[i]} << 16;
      }
    }
  }
}

// One image and all that its heads share.
template <typename Element>
struct Image {
  Rows<Element> q, k, v;  // from its first row on
  Extent<Element> extent;
  std::int64_t heads;
  const float* key_log_weight;  // (rows,), to the base 2, or null
  float scale;                  // to the base 2
  Element* attended;            // (rows, heads, D)
};

// What one thread needs for a few queries.
template <typename Element, typename Unit>
class Attention {
 public:
  explicit Attention(const Image<Element>& image)
      : image_(image),
        extent_(image.extent),
        queries_(few * extent_.key_depth()),
        scores_(few * extent_.key_columns()),
        weights_(few * extent_.value_depth()),
        sums_(few * extent_.value_columns()) {
    // Beyond the last column are zeros, and stay.
    std::memset(weights_.data(), 0,
                static_cast<std::size_t>(few * extent_.value_depth() * word_bytes));
  }

  // How many queries are attended at once.
  static constexpr std::int64_t few = Unit::rows_at_once;

  void attend(std::int64_t head, std::int64_t first, const Word* keys, const Word* values) const {
    const std::int64_t count = std::min(few, extent_.rows - first);
    const std::int64_t padded = rounded_up(count, Unit::rows);
    const std::int64_t wide = extent_.key_columns();
    auto* scores = reinterpret_cast<float*>(scores_.data());
    multiply<Unit>(left_of(head, first, count, padded, keys), padded, extent_.rows, scores, wide);

    std::array<float, few> divisors;
    auto* weights = reinterpret_cast<Element*>(weights_.data());
    const std::int64_t stride = extent_.value_depth() * per_word<Element>;
    for (std::int64_t row = 0; row < count; ++row) {
      divisors[row] = weigh_row(scores + row * wide, weights + row * stride);
    }
    auto* sums = reinterpret_cast<float*>(sums_.data());
    const Factors factors{bytes_of(weights_.data()), extent_.value_depth() * word_bytes,
                          bytes_of(values), extent_.value_depth()};
    multiply<Unit>(factors, padded, extent_.width, sums, extent_.value_columns());
    for (std::int64_t row = 0; row < count; ++row) {
      Element* target = image_.attended + ((first + row) * image_.heads + head) * extent_.width;
      divide(sums + row * extent_.value_columns(), divisors[row], target);
    }
  }

 private:
  static const char* bytes_of(const Word* words) { return reinterpret_cast<const char*>(words); }

  // Queries as they lie, where they are whole words and rows; else a copy, padded with zeros.
  Factors left_of(std::int64_t head, std::int64_t first, std::int64_t count, std::int64_t padded,
                  const Word* keys) const {
    const std::int64_t depth = extent_.key_depth(), width = extent_.width;
    const std::int64_t stride = image_.q.stride * static_cast<std::int64_t>(sizeof(Element));
    const Element* queries = image_.q.at(first, head);
    if (count == padded && width == depth * per_word<Element>) {
      return {reinterpret_cast<const char*>(queries), stride, bytes_of(keys), depth};
    }
    std::memset(queries_.data(), 0, static_cast<std::size_t>(padded * depth * word_bytes));
    for (std::int64_t row = 0; row < count; ++row) {
      std::memcpy(queries_.data() + row * depth, queries + row * image_.q.stride,
                  static_cast<std::size_t>(width) * sizeof(Element));
    }
    return {bytes_of(queries_.data()), depth * word_bytes, bytes_of(keys), depth};
  }

  float weigh_row(const float* scores, Element* weights) const {
    if (image_.key_log_weight == nullptr) {
      return weigh(Scores<false>{scores, nullptr, image_.scale}, extent_.rows, weights);
    }
    return weigh(Scores<true>{scores, image_.key_log_weight, image_.scale}, extent_.rows, weights);
  }

  // Divides at the end, by the sum before rounding: D divisions a row, and not n.
  void divide(const float* sums, float divisor, Element* target) const {
    const float factor = 1 / divisor;
    for_each_vector(extent_.width, [&](std::int64_t column, std::int64_t count, int) INLINE_LAMBDA {
      store(load(sums + column, count, 0) * factor, target + column, count);
    });
  }

  const Image<Element>& image_;
  const Extent<Element> extent_;
  Memory queries_, scores_, weights_, sums_;
};

template <typename Element, typename Unit>
void attend_image(const Image<Element>& image) {
  const Extent<Element>& extent = image.extent;
  const std::int64_t key_words = extent.key_depth() * extent.key_columns();
  const std::int64_t value_words = extent.value_depth() * extent.value_columns();
  const Memory keys(image.heads * key_words), values(image.heads * value_words);
  constexpr std::int64_t few = Attention<Element, Unit>::few;
  const std::int64_t parts = (extent.rows + few - 1) / few;
  std::deque<Attention<Element, Unit>> by_thread;  // made here: no error may leave what is parallel
  for (int thread = 0; thread < omp_get_max_threads(); ++thread) by_thread.emplace_back(image);
#pragma omp parallel
  {
#pragma omp for
    for (std::int64_t head = 0; head < image.heads; ++head) {
      pack_columns(image.k.at(0, head), image.k.stride, extent.rows, extent.width,
                   extent.key_depth(), keys.data() + head * key_words);
      pack_values(image.v.at(0, head), image.v.stride, extent, values.data() + head * value_words);
    }
    const Attention<Element, Unit>& attention = by_thread[omp_get_thread_num()];
    [[maybe_unused]] const typename Unit::Session session;
#pragma omp for schedule(dynamic)
    for (std::int64_t part = 0; part < image.heads * parts; ++part) {
      const std::int64_t head = part / parts;
      attention.attend(head, part % parts * few, keys.data() + head * key_words,
                       values.data() + head * value_words);
    }
  }
}

// By the fastest unit that this processor has.
template <typename Element>
void attend_image(const Image<Element>& image) {
#if defined(__AVX512DQ__) && !defined(MPM_NOTHING_CHOSEN)
  if constexpr (!std::is_same_v<Element, float>) {
    if (has_tiles()) return attend_image<Element, Tiles>(image);
  }
#endif
  attend_image<Element, Vectors<Element>>(image);
}

// Key weights to the base 2, (rows,); none where there are none.
std::vector<float> weights_of(const AtenTensorHandle* key_log_weight, std::int64_t rows) {
  if (key_log_weight == nullptr) return {};
  const auto* given = values_of<float>(*key_log_weight, aoti_torch_dtype_float32(), rows);
  std::vector<float> weights(given, given + rows);
  for (float& weight : weights) weight *= binary_exponent_of_e;
  return weights;
}

// q, k or v: (T, heads, D), of which the elements of a head lie side by side.
template <typename Element>
Rows<Element> rows_of(AtenTensorHandle tensor, const Sizes<3>& sizes) {
  const auto layout = layout_of<3>(tensor);
  if (layout.sizes != sizes || (sizes[2] != 1 && layout.strides[2] != 1)) throw ShimFailed{};
  return {data<const Element>(tensor), layout.strides[0], layout.strides[1]};
}

template <typename Element>
void attend(AtenTensorHandle q, AtenTensorHandle k, AtenTensorHandle v, AtenTensorHandle offsets,
            const AtenTensorHandle* key_log_weight, AtenTensorHandle* attended) {
  const auto sizes = layout_of<3>(q).sizes;
  const auto [rows, heads, width] = sizes;
  const auto queries = rows_of<Element>(q, sizes), keys = rows_of<Element>(k, sizes),
             values = rows_of<Element>(v, sizes);
  const float scale = binary_exponent_of_e / std::sqrt(static_cast<float>(width));
  const auto weights = weights_of(key_log_weight, rows);
  const auto bounds = bounds_of(offsets, rows);
  Output output(sizes, dtype_of(q));
  auto* target = output.values<Element>();
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    const std::int64_t first = bounds[i], length = bounds[i + 1] - first;
    if (length == 0) continue;
    const auto from = [&](const Rows<Element>& all) {
      return Rows<Element>{all.at(first, 0), all.stride, all.head_stride};
    };
    attend_image<Element>({from(queries),
                           from(keys),
                           from(values),
                           {length, width},
                           heads,
                           weights.empty() ? nullptr : weights.data() + first,
                           scale,
                           target + first * heads * width});
  }
  output.give(attended);
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// q, k, v: (T, heads, D); offsets: (B + 1,) int32; key_log_weight: (T,) float32, or null.
// *attended: (T, heads, D).
extern "C" AOTITorchError aoti_torch_cpu_attention(AtenTensorHandle q, AtenTensorHandle k,
                                                   AtenTensorHandle v, AtenTensorHandle offsets,
                                                   AtenTensorHandle* key_log_weight,
                                                   AtenTensorHandle* attended) {
  return outcome_of([&] {
    const bool narrow = is_bfloat16(q);
    require(is_bfloat16(k) == narrow && is_bfloat16(v) == narrow);
    const auto attend_them = narrow ? attend<bfloat16> : attend<float>;
    attend_them(q, k, v, offsets, key_log_weight, attended);
  });
}

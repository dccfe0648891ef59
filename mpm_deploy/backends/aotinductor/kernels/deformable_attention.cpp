// mpm::deformable_attention (mpm_deploy/ops/deformable_attention) as a compiled model calls it. It
// is compiled for this processor and linked into the model's own library.
//
//     locations, weights of a query's head        cells (S, heads, D)
//     ● ● ●  in each level                   ─▶   up to four around each ● ─▶ their sum (D,)
//
// A head's channels lie side by side in a cell, and are read a vector at a time. A sampler of grids
// wants channels first: all cells are copied for it, and each channel is read by itself.

#include <omp.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tensors.h"
#include "vectors.h"

namespace {

struct Level {
  std::int64_t first, down, across;  // its first cell, and its cells along each axis
};

// All levels of an image, and how they are read.
template <typename Element>
struct Cells {
  const Element* values;  // (B, S, heads, D)
  std::vector<Level> levels;
  std::int64_t count, heads, width;  // S, heads, D

  const Element* at(std::int64_t image, std::int64_t cell, std::int64_t head) const {
    return values + ((image * count + cell) * heads + head) * width;
  }
};

// A cell's channels of a head, and how much of them a query takes.
template <typename Element>
struct Share {
  const Element* cell;
  float weight;
};

// The cells around a point that lie in its grid; of a point outside there are none.
template <typename Element>
void take(const Cells<Element>& cells, const Level& level, std::int64_t image, std::int64_t head,
          const float* point, float weight, std::vector<Share<Element>>& shares) {
  const float x = point[0] * static_cast<float>(level.across) - 0.5F;  // the first center is 0
  const float y = point[1] * static_cast<float>(level.down) - 0.5F;
  const bool inside = x > -1 && x < static_cast<float>(level.across) && y > -1 &&
                      y < static_cast<float>(level.down);
  if (!inside) return;  // nor is what is no number
  const float left = std::floor(x), top = std::floor(y);
  for (int below = 0; below < 2; ++below) {
    const auto row = static_cast<std::int64_t>(top) + below;
    const float of_row = below == 1 ? y - top : 1 - (y - top);
    for (int right = 0; right < 2; ++right) {
      const auto column = static_cast<std::int64_t>(left) + right;
      if (row < 0 || row >= level.down || column < 0 || column >= level.across) continue;
      const float of_column = right == 1 ? x - left : 1 - (x - left);
      const std::int64_t cell = level.first + row * level.across + column;
      shares.push_back({cells.at(image, cell, head), weight * of_row * of_column});
    }
  }
}

template <typename Element>
void add_up(const std::vector<Share<Element>>& shares, std::int64_t width, Element* target) {
  for_each_vector(width, [&](std::int64_t channel, std::int64_t count, int) INLINE_LAMBDA {
    Floats sum{};
    for (const auto& share : shares) sum += load(share.cell + channel, count, 0) * share.weight;
    store(sum, target + channel, count);
  });
}

// locations: (B, Q, heads, L, P, 2); weights: (B, Q, heads, L, P); attended: (B, Q, heads, D).
template <typename Element>
void attend_all(const Cells<Element>& cells, const Sizes<6>& sizes, const float* locations,
                const Element* weights, Element* attended) {
  const auto [images, queries, heads, levels, points, axes] = sizes;
  // Made here: no error may leave what is parallel.
  std::vector<std::vector<Share<Element>>> by_thread(
      static_cast<std::size_t>(omp_get_max_threads()));
  for (auto& shares : by_thread) shares.reserve(static_cast<std::size_t>(4 * levels * points));
#pragma omp parallel for
  for (std::int64_t line = 0; line < images * queries * heads; ++line) {
    auto& shares = by_thread[static_cast<std::size_t>(omp_get_thread_num())];
    shares.clear();
    const std::int64_t image = line / (queries * heads), head = line % heads;
    for (std::int64_t each = 0; each < levels * points; ++each) {
      const std::int64_t index = line * levels * points + each;
      const Level& level = cells.levels[static_cast<std::size_t>(each / points)];
      take(cells, level, image, head, locations + axes * index, load(weights + index, 1, 0)[0],
           shares);
    }
    add_up(shares, cells.width, attended + line * cells.width);
  }
}

// Levels by their sides, down and across in turn; others than `count` cells are a failure.
std::vector<Level> levels_of(const std::int64_t* grids, std::int64_t length, std::int64_t count) {
  std::vector<Level> levels;
  std::int64_t first = 0;
  for (std::int64_t i = 0; i + 1 < length; i += 2) {
    levels.push_back({first, grids[i], grids[i + 1]});
    first += grids[i] * grids[i + 1];
  }
  if (first != count) throw ShimFailed{};
  return levels;
}

template <typename Element>
void attend(AtenTensorHandle values, const std::int64_t* grids, std::int64_t length,
            AtenTensorHandle locations, AtenTensorHandle weights, AtenTensorHandle* attended) {
  const auto [images, count, heads, width] = sizes_of<4>(values);
  const Cells<Element> cells{data<const Element>(values), levels_of(grids, length, count), count,
                             heads, width};
  const auto sizes = sizes_of<6>(locations);
  const auto levels = static_cast<std::int64_t>(cells.levels.size());
  const std::int64_t queries = sizes[1], points = sizes[4];
  if (sizes != Sizes<6>{images, queries, heads, levels, points, 2}) throw ShimFailed{};
  if (sizes_of<5>(weights) != Sizes<5>{images, queries, heads, levels, points}) throw ShimFailed{};
  if (dtype_of(locations) != aoti_torch_dtype_float32()) throw ShimFailed{};
  if (dtype_of(weights) != dtype_of(values)) throw ShimFailed{};
  Output output(Sizes<4>{images, queries, heads, width}, dtype_of(values));
  attend_all(cells, sizes, data<const float>(locations), data<const Element>(weights),
             output.values<Element>());
  output.give(attended);
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// values: (B, S, heads, D); locations: (B, Q, heads, L, P, 2) float32; weights: (B, Q, heads, L, P)
// of the same dtype as values; all contiguous. *attended: (B, Q, heads, D).
extern "C" AOTITorchError aoti_torch_cpu_deformable_attention(
    AtenTensorHandle values, const std::int64_t* grids, std::int64_t length,
    AtenTensorHandle locations, AtenTensorHandle weights, AtenTensorHandle* attended) {
  return outcome_of([&] {
    const auto call = is_bfloat16(values) ? attend<bfloat16> : attend<float>;
    call(values, grids, length, locations, weights, attended);
  });
}

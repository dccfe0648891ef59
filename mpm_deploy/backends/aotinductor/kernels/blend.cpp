// mpm::blend (mpm_deploy/ops/blending) as a compiled model calls it. It is compiled for this
// processor and linked into the model's own library.
//
//     cells (B, h, w, 4 C)        places (B, 2 h, 2 w, C)
//                                   row 2 i        a b
//     [a b c d] of cell (i, j)  ─▶  row 2 i + 1    c d   ─▶ nine neighbors, weighted by channel
//
// The cells are read where they lie: to lay them out first would write and read all of them again.

#include <algorithm>
#include <array>
#include <cstdint>

#include "tensors.h"
#include "vectors.h"

namespace {

struct Grid {
  std::int64_t images, down, across, width;  // of places and their channels
};

// Up to nine neighbors of a place that lie in its grid, each with the weights for its direction.
template <typename Element>
struct Neighbors {
  std::array<const Element*, 9> places, weights;
  std::int64_t count = 0;
};

template <typename Element>
const Element* place(const Element* cells, const Grid& grid, std::int64_t image, std::int64_t row,
                     std::int64_t column) {
  const std::int64_t cell = (image * (grid.down / 2) + row / 2) * (grid.across / 2) + column / 2;
  return cells + (4 * cell + 2 * (row % 2) + column % 2) * grid.width;
}

template <typename Element>
Neighbors<Element> neighbors_of(const Element* cells, const Element* weight, const Grid& grid,
                                std::int64_t image, std::int64_t row, std::int64_t column) {
  Neighbors<Element> found;
  for (std::int64_t i = std::max<std::int64_t>(row - 1, 0); i < std::min(row + 2, grid.down); ++i) {
    for (std::int64_t j = std::max<std::int64_t>(column - 1, 0);
         j < std::min(column + 2, grid.across); ++j) {
      const std::int64_t direction = 3 * (i - row + 1) + j - column + 1;
      found.places[found.count] = place(cells, grid, image, i, j);
      found.weights[found.count++] = weight + direction * grid.width;
    }
  }
  return found;
}

template <typename Element>
INLINE Floats weighted_sum(const Neighbors<Element>& neighbors, std::int64_t channel,
                           std::int64_t count) {
  Floats sum{};
  for (std::int64_t i = 0; i < neighbors.count; ++i) {
    sum += load(neighbors.places[i] + channel, count, 0) *
           load(neighbors.weights[i] + channel, count, 0);
  }
  return sum;
}

template <typename Element>
void blend_all(const void* cells, const void* weight, const Grid& grid, void* places) {
#pragma omp parallel for
  for (std::int64_t line = 0; line < grid.images * grid.down; ++line) {
    const std::int64_t image = line / grid.down, row = line % grid.down;
    auto* target = static_cast<Element*>(places) + line * grid.across * grid.width;
    for (std::int64_t column = 0; column < grid.across; ++column, target += grid.width) {
      const auto neighbors =
          neighbors_of(static_cast<const Element*>(cells), static_cast<const Element*>(weight),
                       grid, image, row, column);
      std::int64_t channel = 0;
      for (; channel + lanes <= grid.width; channel += lanes) {
        store(weighted_sum(neighbors, channel, lanes), target + channel, lanes);
      }
      const std::int64_t rest = grid.width - channel;
      if (rest > 0) store(weighted_sum(neighbors, channel, rest), target + channel, rest);
    }
  }
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// cells: (B, h, w, 4 C) contiguous; weight: (3, 3, C) contiguous, of the same dtype.
// *places: (B, 2 h, 2 w, C).
extern "C" AOTITorchError aoti_torch_cpu_blend(AtenTensorHandle cells, AtenTensorHandle weight,
                                               AtenTensorHandle* places) {
  return outcome_of([&] {
    const auto [images, down, across, parts] = sizes_of<4>(cells);
    const Grid grid{images, 2 * down, 2 * across, parts / 4};
    const bool narrow = is_bfloat16(cells);
    require(sizes_of<3>(weight) == Sizes<3>{3, 3, grid.width});
    require(is_bfloat16(weight) == narrow);
    Output output(Sizes<4>{grid.images, grid.down, grid.across, grid.width}, dtype_of(cells));
    const auto blend = narrow ? blend_all<bfloat16> : blend_all<float>;
    blend(data<const void>(cells), data<const void>(weight), grid, output.values<void>());
    output.give(places);
  });
}

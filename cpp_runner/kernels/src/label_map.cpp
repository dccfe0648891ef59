// The label map, without the upsampled scores.
//
// The pixels between four coarse samples form a cell, and interpolate between these corners:
//
//     (y0, x0) ─────────── (y0, x1)      left  = s[y0][x0] * (1 - ty) + s[y1][x0] * ty
//        │    · · · · · ·     │          right = s[y0][x1] * (1 - ty) + s[y1][x1] * ty
//        │    · · · · · ·     │          value = left * (1 - tx) + right * tx
//     (y1, x0) ─────────── (y1, x1)
//
// Nowhere in the cell is a class above its highest corner or below its lowest one. So a class whose
// highest corner is below some other's lowest one wins no pixel there. On a model's scores that
// leaves about one class in ten, and only these survivors are interpolated.
//
// Rounding: each step is monotone in its inputs, and all classes share the weights, so a class that
// was pruned could at worst tie. It must not even do that, as the lowest class takes a tie: hence
// the slack, which is more than the six roundings of a value can bridge.

#include "mpm_kernels/label_map.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "samples.hpp"
#include "vectors.hpp"

namespace mpm::kernels {

namespace {

// Pixels of one axis that share two coarse samples.
struct Run {
  std::int64_t low, high;   // the samples before and after: alike beyond the last one
  std::int64_t begin, end;  // the pixels
};

struct Axis {
  std::vector<Run> runs;
  std::vector<float> low_weight, high_weight;  // of each pixel, and room for a last whole vector
};

Axis make_axis(std::int64_t coarse, std::int64_t fine) {
  const auto room = static_cast<std::size_t>(fine + lanes);
  Axis axis{{}, std::vector<float>(room), std::vector<float>(room)};
  axis.runs.reserve(static_cast<std::size_t>(std::min(coarse, fine)));
  const float step = sample_step(coarse, fine);
  for (std::int64_t pixel = 0; pixel < fine; ++pixel) {
    const Sample sample = sample_at(pixel, coarse, step);
    axis.high_weight[static_cast<std::size_t>(pixel)] = sample.high_weight;
    axis.low_weight[static_cast<std::size_t>(pixel)] = 1.0F - sample.high_weight;
    if (axis.runs.empty() || axis.runs.back().low != sample.low) {
      axis.runs.push_back({sample.low, sample.high, pixel, pixel});
    }
    axis.runs.back().end = pixel + 1;
  }
  return axis;
}

// One row of cells: two coarse rows of every class.
struct Rows {
  const float* top;     // of class 0: (across,)
  const float* bottom;  // likewise
  std::int64_t classes, across;
  std::int64_t stride;  // from one class to the next
};

struct Workspace {
  Workspace(std::size_t count, std::size_t across)
      : extremes(across + 1),
        threshold(across),
        survives(across),
        counts(across),
        survivors(across * count),
        classes(count),
        corners(4 * count),
        sides(2 * vectors * count) {}

  // Of a row of cells.
  std::vector<float> extremes;           // (across + 1): the lower or the higher of two rows
  std::vector<float> threshold;          // (across): a class whose highest corner is below is out
  std::vector<std::int32_t> survives;    // (across): 1 where the class at hand does, else 0
  std::vector<std::int32_t> counts;      // (across): survivors of each cell
  std::vector<std::uint16_t> survivors;  // (across, K): as many as counted, in ascending order

  // Of one cell's survivors.
  std::vector<std::int32_t> classes;  // (K,)
  std::vector<float> corners;         // (4, K): top left, top right, bottom left, bottom right
  std::vector<float> sides;           // (rows, 2, K): left and right, at each row of pixels
};

INLINE float lower(float a, float b) { return b < a ? b : a; }
INLINE float higher(float a, float b) { return a < b ? b : a; }

// The highest of the classes' lowest corners, less the slack.
INLINE void find_threshold(const Rows& rows, float* extremes, float* threshold) {
  const std::int64_t across = rows.across;
  std::fill_n(threshold, across, -std::numeric_limits<float>::infinity());
  for (std::int64_t k = 0; k < rows.classes; ++k) {
    const float* top = rows.top + k * rows.stride;
    const float* bottom = rows.bottom + k * rows.stride;
    for (std::int64_t x = 0; x < across; ++x) extremes[x] = lower(top[x], bottom[x]);
    extremes[across] = extremes[across - 1];
    for (std::int64_t x = 0; x < across; ++x) {
      threshold[x] = higher(threshold[x], lower(extremes[x], extremes[x + 1]));
    }
  }
  for (std::int64_t x = 0; x < across; ++x) {
    threshold[x] -= std::fabs(threshold[x]) * 0x1p-20F + 1e-37F;
  }
}

// Each class is first compared in all cells, which vectors can do, and then appended cell by cell:
// in one loop, Arm's compilers branch on the scores, which no processor foresees.
INLINE void find_survivors(const Rows& rows, Workspace& work) {
  float* extremes = work.extremes.data();
  float* threshold = work.threshold.data();
  std::int32_t* survives = work.survives.data();
  std::int32_t* counts = work.counts.data();
  std::uint16_t* survivors = work.survivors.data();
  const std::int64_t across = rows.across;
  find_threshold(rows, extremes, threshold);
  std::fill_n(counts, across, 0);
  for (std::int64_t k = 0; k < rows.classes; ++k) {
    const float* top = rows.top + k * rows.stride;
    const float* bottom = rows.bottom + k * rows.stride;
    for (std::int64_t x = 0; x < across; ++x) extremes[x] = higher(top[x], bottom[x]);
    extremes[across] = extremes[across - 1];
    for (std::int64_t x = 0; x < across; ++x) {
      survives[x] = !(higher(extremes[x], extremes[x + 1]) < threshold[x]);
    }
    for (std::int64_t x = 0; x < across; ++x) {
      survivors[x * rows.classes + counts[x]] = static_cast<std::uint16_t>(k);
      counts[x] += survives[x];
    }
  }
  // The class that set the threshold is above it, but where corners are not numbers.
  for (std::int64_t x = 0; x < across; ++x) {
    if (counts[x] == 0) survivors[x * rows.classes + counts[x]++] = 0;
  }
}

// Copies the survivors of the cell between two columns. Returns how many they are.
INLINE std::int64_t gather(const Rows& rows, const Run& columns, Workspace& work) {
  const std::int64_t count = work.counts[static_cast<std::size_t>(columns.low)];
  const std::uint16_t* survivors = work.survivors.data() + columns.low * rows.classes;
  std::int32_t* classes = work.classes.data();
  float* corners = work.corners.data();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t offset = survivors[i] * rows.stride;
    classes[i] = survivors[i];
    corners[i] = rows.top[offset + columns.low];
    corners[rows.classes + i] = rows.top[offset + columns.high];
    corners[2 * rows.classes + i] = rows.bottom[offset + columns.low];
    corners[3 * rows.classes + i] = rows.bottom[offset + columns.high];
  }
  return count;
}

// The left and right side of each survivor at one row of pixels.
INLINE void interpolate_down(const float* corners, std::int64_t classes, std::int64_t count,
                             float low_weight, float high_weight, float* sides) {
  for (std::int64_t side = 0; side < 2; ++side) {
    const float* top = corners + side * classes;
    const float* bottom = top + 2 * classes;
    for (std::int64_t i = 0; i < count; ++i) {
      sides[side * classes + i] = top[i] * low_weight + bottom[i] * high_weight;
    }
  }
}

// Copies the first `count` of some values.
template <std::int64_t values, typename Label>
INLINE void store(const Label* from, std::int64_t count, Label* to) {
  if (count == values) {
    std::memcpy(to, from, values * sizeof(Label));
  } else {
    for (std::int64_t lane = 0; lane < count; ++lane) to[lane] = from[lane];
  }
}

// The best class of pixels of one cell: some rows, and in each some vectors of four side by side.
// Their comparisons wait for nothing but the same pixels' before.
template <std::int64_t rows, std::int64_t vectors>
INLINE void find_best(const Workspace& work, std::int64_t count, const float* low_weight,
                      const float* high_weight, std::int32_t* winners) {
  const auto room = static_cast<std::int64_t>(work.classes.size());
  const float* sides = work.sides.data();
  const std::int32_t* classes = work.classes.data();
  FourFloats low[vectors], high[vectors], best[rows][vectors];
  FourIntegers winner[rows][vectors];
  std::memcpy(low, low_weight, sizeof low);
  std::memcpy(high, high_weight, sizeof high);
  const auto value = [&](std::int64_t i, std::int64_t r, std::int64_t v) INLINE_LAMBDA {
    return sides[2 * r * room + i] * low[v] + sides[(2 * r + 1) * room + i] * high[v];
  };
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t v = 0; v < vectors; ++v) {
      best[r][v] = value(0, r, v);
      winner[r][v] = FourIntegers{} + classes[0];
    }
  }
  for (std::int64_t i = 1; i < count; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t v = 0; v < vectors; ++v) {
        const FourFloats candidate = value(i, r, v);
        const FourIntegers better = candidate > best[r][v];
        best[r][v] = better ? candidate : best[r][v];
        winner[r][v] = better ? FourIntegers{} + classes[i] : winner[r][v];
      }
    }
  }
  std::memcpy(winners, winner, sizeof winner);
}

// Labels one cell, so many pixels at a time: rows below one another, vectors of four side by side.
template <std::int64_t rows, std::int64_t vectors, typename Label>
INLINE void label_cell(Workspace& work, std::int64_t count, const Axis& down, const Run& pixel_rows,
                       const Axis& across, const Run& columns, Label* labels) {
  static_assert(rows * vectors * 4 == lanes);
  constexpr std::int64_t pixels = 4 * vectors;
  const auto room = static_cast<std::int64_t>(work.classes.size());
  const std::int64_t width = across.runs.back().end;
  for (std::int64_t y = pixel_rows.begin; y < pixel_rows.end; y += rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto row = static_cast<std::size_t>(y + r);
      interpolate_down(work.corners.data(), room, count, down.low_weight[row],
                       down.high_weight[row], work.sides.data() + 2 * r * room);
    }
    for (std::int64_t x = columns.begin; x < columns.end; x += pixels) {
      std::int32_t winners[lanes];
      find_best<rows, vectors>(work, count, across.low_weight.data() + x,
                               across.high_weight.data() + x, winners);
      Label found[lanes];
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        found[lane] = static_cast<Label>(winners[lane]);
      }
      for (std::int64_t r = 0; r < std::min(pixel_rows.end - y, rows); ++r) {
        store<pixels>(found + r * pixels, std::min(columns.end - x, pixels),
                      labels + (y + r) * width + x);
      }
    }
  }
}

template <typename Label>
INLINE void label_rows(const Rows& rows, const Axis& down, const Run& pixel_rows,
                       const Axis& across, Workspace& work, Label* labels) {
  find_survivors(rows, work);
  for (const Run& columns : across.runs) {
    const std::int64_t count = gather(rows, columns, work);
    if (columns.end - columns.begin <= 4) {  // scores that are finer than patches
      label_cell<vectors, 1>(work, count, down, pixel_rows, across, columns, labels);
    } else {
      label_cell<1, vectors>(work, count, down, pixel_rows, across, columns, labels);
    }
  }
}

VECTORISED void label_bytes(const Rows& rows, const Axis& down, const Run& pixel_rows,
                            const Axis& across, Workspace& work, std::uint8_t* labels) {
  label_rows(rows, down, pixel_rows, across, work, labels);
}

VECTORISED void label_words(const Rows& rows, const Axis& down, const Run& pixel_rows,
                            const Axis& across, Workspace& work, std::int16_t* labels) {
  label_rows(rows, down, pixel_rows, across, work, labels);
}

struct Sizes {
  std::int64_t classes, down, across, height, width;
};

void label_image(const float* scores, const Sizes& sizes, void* labels) {
  const Axis down = make_axis(sizes.down, sizes.height);
  const Axis across = make_axis(sizes.across, sizes.width);
  Workspace work(static_cast<std::size_t>(sizes.classes), static_cast<std::size_t>(sizes.across));
  for (const Run& run : down.runs) {
    const Rows rows{scores + run.low * sizes.across, scores + run.high * sizes.across,
                    sizes.classes, sizes.across, sizes.down * sizes.across};
    if (sizes.classes <= 256) {
      label_bytes(rows, down, run, across, work, static_cast<std::uint8_t*>(labels));
    } else {
      label_words(rows, down, run, across, work, static_cast<std::int16_t*>(labels));
    }
  }
}

bool are_good(const Sizes& sizes) {
  const auto is_side = [](std::int64_t size) { return size >= 1 && size <= MPM_LARGEST_SIDE; };
  return sizes.classes >= 1 && sizes.classes <= MPM_LARGEST_CLASSES && is_side(sizes.down) &&
         is_side(sizes.across) && is_side(sizes.height) && is_side(sizes.width);
}

}  // namespace

}  // namespace mpm::kernels

int mpm_label_map(const float* scores, int64_t classes, int64_t down, int64_t across,
                  int64_t height, int64_t width, void* labels) {
  const mpm::kernels::Sizes sizes{classes, down, across, height, width};
  if (!mpm::kernels::are_good(sizes)) return MPM_BAD_SIZES;
  try {
    mpm::kernels::label_image(scores, sizes, labels);
  } catch (const std::bad_alloc&) {
    return MPM_NO_MEMORY;
  }
  return MPM_DONE;
}

// The label map of windows that were slid over an image.
//
//   scores ─▶ pixels of each window ─▶ mean where windows overlap ─▶ label map's size ─▶ best class
//
// Some rows of the label map at a time, and for these one class after the other: all that is stored
// is the means of one class at the rows of the image that they lie between.
//
//   image       means of class k                label map      best and winner so far
//   │          ├─────────────────┤              │              ├─────────────────┤
//   │  rows    │                 │ ─▶ resized ─▶│  a band      │                 │
//   │          ├─────────────────┤              │              ├─────────────────┤

#include "mpm_kernels/window_label_map.h"

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

#include "samples.hpp"
#include "vectors.hpp"

namespace mpm::kernels {

namespace {

constexpr std::int64_t band_rows = 32;

// For each pixel the two samples that it lies between.
struct Axis {
  std::vector<std::int32_t> low, high;
  std::vector<float> low_weight, high_weight;
  std::vector<std::int64_t> run_ends;  // of pixels side by side that share both samples
};

Axis make_axis(std::int64_t coarse, std::int64_t fine) {
  Axis axis;
  const float step = sample_step(coarse, fine);
  for (std::int64_t pixel = 0; pixel < fine; ++pixel) {
    const Sample sample = sample_at(pixel, coarse, step);
    if (pixel > 0 && sample.low != axis.low.back()) axis.run_ends.push_back(pixel);
    axis.low.push_back(static_cast<std::int32_t>(sample.low));
    axis.high.push_back(static_cast<std::int32_t>(sample.high));
    axis.low_weight.push_back(1.0F - sample.high_weight);
    axis.high_weight.push_back(sample.high_weight);
  }
  axis.run_ends.push_back(fine);
  return axis;
}

// Of each column of the image, how many windows lie on it.
std::vector<float> count_windows(const mpm_window_grid& grid) {
  std::vector<float> counts(static_cast<std::size_t>(grid.width));
  for (std::int64_t column = 0; column < grid.columns; ++column) {
    float* begin = counts.data() + grid.lefts[column];
    for (std::int64_t x = 0; x < grid.window_width; ++x) begin[x] += 1;
  }
  return counts;
}

struct Sizes {
  std::int64_t classes, down, across, height, width;
};

struct Task {
  Task(const float* all_scores, const Sizes& all_sizes, const mpm_window_grid& windows)
      : scores(all_scores),
        sizes(all_sizes),
        grid(windows),
        window_down(make_axis(sizes.down, grid.window_height)),
        window_across(make_axis(sizes.across, grid.window_width)),
        image_down(make_axis(grid.height, sizes.height)),
        image_across(make_axis(grid.width, sizes.width)),
        windows_on(count_windows(grid)) {}

  // Of one class in one window: (down, across).
  const float* window_scores(std::int64_t row, std::int64_t column, std::int64_t k) const {
    const std::int64_t window = row * grid.columns + column;
    return scores + (window * sizes.classes + k) * sizes.down * sizes.across;
  }

  const float* scores;  // (windows, classes, down, across)
  const Sizes sizes;
  const mpm_window_grid grid;
  const Axis window_down, window_across;  // from scores to the pixels of a window
  const Axis image_down, image_across;    // from the image to the label map
  const std::vector<float> windows_on;    // (image's width)
};

struct Band {
  std::int64_t begin, end;  // rows of the label map
  std::int64_t top, rows;   // of the image, between which those lie
};

struct Workspace {
  Workspace(const Task& task, std::int64_t most_rows)
      : coarse(static_cast<std::size_t>(task.sizes.across)),
        means(static_cast<std::size_t>(most_rows * task.grid.width)),
        row(static_cast<std::size_t>(task.grid.width)),
        left(static_cast<std::size_t>(task.sizes.width)),
        right(left.size()),
        best(static_cast<std::size_t>(band_rows * task.sizes.width)),
        winner(best.size()) {}

  std::vector<float> coarse;         // (across): between two rows of scores
  std::vector<float> means;          // (rows, image's width): of one class
  std::vector<float> row;            // (image's width): between two rows of means
  std::vector<float> left, right;    // (width): the samples of that row beside each pixel
  std::vector<float> best;           // (band_rows, width)
  std::vector<std::int32_t> winner;  // likewise
};

std::vector<Band> cut_into_bands(const Task& task) {
  std::vector<Band> bands;
  for (std::int64_t begin = 0; begin < task.sizes.height; begin += band_rows) {
    const std::int64_t end = std::min(begin + band_rows, task.sizes.height);
    const std::int64_t top = task.image_down.low[static_cast<std::size_t>(begin)];
    const std::int64_t bottom = task.image_down.high[static_cast<std::size_t>(end - 1)];
    bands.push_back({begin, end, top, bottom - top + 1});
  }
  return bands;
}

// The samples at one row of pixels, which lies between two rows of them: (width,).
// rows: samples, (rows, width), the first of them number `first` of their axis.
INLINE void mix_rows(const float* rows, std::int64_t first, std::int64_t width, const Axis& down,
                     std::int64_t pixel, float* mixed) {
  const auto y = static_cast<std::size_t>(pixel);
  const float* top = rows + (down.low[y] - first) * width;
  const float* bottom = rows + (down.high[y] - first) * width;
  const float low_weight = down.low_weight[y];
  const float high_weight = down.high_weight[y];
  for (std::int64_t x = 0; x < width; ++x) mixed[x] = top[x] * low_weight + bottom[x] * high_weight;
}

// Adds a row of one window's pixels to what lies below it. Runs are long where pixels are many.
INLINE void add_across(const float* coarse, const Axis& across, float* sums) {
  const float* low_weight = across.low_weight.data();
  const float* high_weight = across.high_weight.data();
  std::int64_t x = 0;
  for (const std::int64_t end : across.run_ends) {
    const float left = coarse[across.low[static_cast<std::size_t>(x)]];
    const float right = coarse[across.high[static_cast<std::size_t>(x)]];
    for (; x < end; ++x) sums[x] += left * low_weight[x] + right * high_weight[x];
  }
}

// One class along row y of the image: the mean over the windows there.
INLINE void average_row(const Task& task, std::int64_t k, std::int64_t y, float* coarse,
                        float* means) {
  const mpm_window_grid& grid = task.grid;
  std::fill_n(means, grid.width, 0.0F);
  float windows_down = 0;
  for (std::int64_t row = 0; row < grid.rows; ++row) {
    const std::int64_t inside = y - grid.tops[row];
    if (inside < 0 || inside >= grid.window_height) continue;
    windows_down += 1;
    for (std::int64_t column = 0; column < grid.columns; ++column) {
      mix_rows(task.window_scores(row, column, k), 0, task.sizes.across, task.window_down, inside,
               coarse);
      add_across(coarse, task.window_across, means + grid.lefts[column]);
    }
  }
  const float* windows_on = task.windows_on.data();
  for (std::int64_t x = 0; x < grid.width; ++x) means[x] /= windows_down * windows_on[x];
}

// The samples of a row beside each pixel. Every processor's vectors can do the arithmetic on them;
// but few can be filled from here and there, and in one loop with this they would not be used.
INLINE void gather(const float* row, const Axis& across, std::int64_t width, float* left,
                   float* right) {
  const std::int32_t* low = across.low.data();
  const std::int32_t* high = across.high.data();
  for (std::int64_t x = 0; x < width; ++x) {
    left[x] = row[low[x]];
    right[x] = row[high[x]];
  }
}

// Lets class k have the pixels of a row where it is better than the best so far, classes below k.
INLINE void compare_across(const float* left, const float* right, const Axis& across,
                           std::int64_t width, std::int32_t k, float* best, std::int32_t* winner) {
  const float* low_weight = across.low_weight.data();
  const float* high_weight = across.high_weight.data();
  for (std::int64_t x = 0; x < width; ++x) {
    const float value = left[x] * low_weight[x] + right[x] * high_weight[x];
    const std::int32_t winner_now = value > best[x] ? k : 0;
    best[x] = std::max(best[x], value);
    winner[x] = std::max(winner[x], winner_now);
  }
}

INLINE void find_winners(const Task& task, const Band& band, Workspace& work) {
  const std::int64_t width = task.sizes.width;
  std::fill(work.best.begin(), work.best.end(), -std::numeric_limits<float>::infinity());
  std::fill(work.winner.begin(), work.winner.end(), 0);
  float* means = work.means.data();
  for (std::int64_t k = 0; k < task.sizes.classes; ++k) {
    for (std::int64_t row = 0; row < band.rows; ++row) {
      average_row(task, k, band.top + row, work.coarse.data(), means + row * task.grid.width);
    }
    for (std::int64_t y = band.begin; y < band.end; ++y) {
      mix_rows(means, band.top, task.grid.width, task.image_down, y, work.row.data());
      const std::int64_t begin = (y - band.begin) * width;
      gather(work.row.data(), task.image_across, width, work.left.data(), work.right.data());
      compare_across(work.left.data(), work.right.data(), task.image_across, width,
                     static_cast<std::int32_t>(k), work.best.data() + begin,
                     work.winner.data() + begin);
    }
  }
}

template <typename Label>
INLINE void label_image(const Task& task, const std::vector<Band>& bands, Workspace& work,
                        Label* labels) {
  for (const Band& band : bands) {
    find_winners(task, band, work);
    const std::int64_t pixels = (band.end - band.begin) * task.sizes.width;
    Label* begin = labels + band.begin * task.sizes.width;
    for (std::int64_t i = 0; i < pixels; ++i) {
      begin[i] = static_cast<Label>(work.winner[static_cast<std::size_t>(i)]);
    }
  }
}

VECTORISED void label_bytes(const Task& task, const std::vector<Band>& bands, Workspace& work,
                            std::uint8_t* labels) {
  label_image(task, bands, work, labels);
}

VECTORISED void label_words(const Task& task, const std::vector<Band>& bands, Workspace& work,
                            std::int16_t* labels) {
  label_image(task, bands, work, labels);
}

void label_windows(const Task& task, void* labels) {
  const std::vector<Band> bands = cut_into_bands(task);
  std::int64_t most_rows = 0;
  for (const Band& band : bands) most_rows = std::max(most_rows, band.rows);
  Workspace work(task, most_rows);
  if (task.sizes.classes <= 256)
    label_bytes(task, bands, work, static_cast<std::uint8_t*>(labels));
  else
    label_words(task, bands, work, static_cast<std::int16_t*>(labels));
}

bool is_side(std::int64_t size) { return size >= 1 && size <= MPM_LARGEST_SIDE; }

// Windows that begin there leave no pixel of the axis without one, and end with it.
bool do_cover(const std::int64_t* starts, std::int64_t count, std::int64_t window,
              std::int64_t side) {
  if (!is_side(count) || starts[0] != 0 || starts[count - 1] != side - window) return false;
  for (std::int64_t i = 1; i < count; ++i) {
    const std::int64_t step = starts[i] - starts[i - 1];
    if (step < 1 || step > window) return false;
  }
  return true;
}

bool are_good(const Sizes& sizes, const mpm_window_grid& grid) {
  return sizes.classes >= 1 && sizes.classes <= MPM_LARGEST_CLASSES && is_side(sizes.down) &&
         is_side(sizes.across) && is_side(sizes.height) && is_side(sizes.width) &&
         is_side(grid.height) && is_side(grid.width) && is_side(grid.window_height) &&
         is_side(grid.window_width) &&
         do_cover(grid.tops, grid.rows, grid.window_height, grid.height) &&
         do_cover(grid.lefts, grid.columns, grid.window_width, grid.width);
}

}  // namespace

}  // namespace mpm::kernels

int mpm_window_label_map(const float* scores, int64_t classes, int64_t down, int64_t across,
                         const mpm_window_grid* grid, int64_t height, int64_t width, void* labels) {
  const mpm::kernels::Sizes sizes{classes, down, across, height, width};
  if (!mpm::kernels::are_good(sizes, *grid)) return MPM_BAD_SIZES;
  try {
    mpm::kernels::label_windows({scores, sizes, *grid}, labels);
  } catch (const std::bad_alloc&) {
    return MPM_NO_MEMORY;
  }
  return MPM_DONE;
}

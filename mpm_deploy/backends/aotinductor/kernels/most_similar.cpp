// mpm::most_similar (mpm_deploy/ops/nearest_neighbor/pairwise.py) as a compiled model calls it. It
// is compiled for this processor and linked into the model's own library.
//
//            columns
//          ┌──┬──┬──┬──┐  A few rows at a time are multiplied by those
//     rows │▒▒│▒▒│▒▒│▒▒│  from the first of them on: each pair once.
//          └──┤▒▒│▒▒│▒▒│  What a pair comes to is a candidate for its
//             └──┤▒▒│▒▒│  row and for its column. No similarity is kept.
//                └──┤▒▒│
//                   └──┘
//
// Products of equal rows are equal to the bit, wherever they stand: all are added up in the order
// of their channels.

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <vector>

#include "panels.h"
#include "products.h"
#include "tensors.h"
#include "vectors.h"

namespace {

using Unit = Vectors<float>;

constexpr std::int64_t few = Unit::rows_at_once;
constexpr float none = -std::numeric_limits<float>::infinity();

// For some rows, the most similar of those that were looked at.
struct Best {
  explicit Best(std::int64_t rows) : similarity(rows, none), row(rows, 0) {}

  // Of equals the lower row stays.
  void offer(std::int64_t to, float candidate, std::int32_t candidate_row) {
    if (candidate > similarity[to] || (candidate == similarity[to] && candidate_row < row[to])) {
      similarity[to] = candidate;
      row[to] = candidate_row;
    }
  }

  std::vector<float> similarity;
  std::vector<std::int32_t> row;
};

// The rows of one image, without its special ones: (n, C), of length 1.
struct Tokens {
  const float* rows;
  std::int64_t count, width;
};

INLINE Integers choose(Integers which, Integers yes, Integers no) {
  return (which & yes) | (~which & no);
}

// Takes the similarities of `row` to those from `first` on, as candidates for both.
INLINE void take(const float* similarities, std::int32_t row, std::int64_t first,
                 std::int64_t count, Best& best) {
  Integers offsets;
  for (int lane = 0; lane < lanes; ++lane) offsets[lane] = lane;
  Floats found = fill(none);
  Integers found_row{};
  for (std::int64_t i = first; i < count; i += lanes) {
    const std::int64_t inside = std::min(lanes, count - i);
    const Floats here = load(similarities + i - first, inside, none);
    const Integers better = here > found;
    found = larger(here, found);
    found_row = choose(better, offsets + static_cast<std::int32_t>(i), found_row);

    const Floats others = load(best.similarity.data() + i, inside, 0);
    const Integers improves = here > others;
    const Integers others_row = read(best.row.data() + i, inside, Integers{});
    store(larger(here, others), best.similarity.data() + i, inside);
    const Integers rows = choose(improves, row + Integers{}, others_row);
    std::memcpy(best.row.data() + i, &rows,
                static_cast<std::size_t>(inside) * sizeof(std::int32_t));
  }
  for (int lane = 0; lane < lanes; ++lane) best.offer(row, found[lane], found_row[lane]);
}

// What one thread needs.
class Search {
 public:
  explicit Search(const Tokens& tokens)
      : best(tokens.count),
        tokens_(tokens),
        rows_(few * tokens.width),
        similarities_(few * rounded_up(tokens.count, panel)) {}

  // Looks at each pair of which the lower is one of a few rows.
  void look(std::int64_t first, const Word* panels) {
    const std::int64_t count = std::min(few, tokens_.count - first), width = tokens_.width;
    const std::int64_t padded = rounded_up(count, Unit::rows), from = first / panel * panel;
    std::memset(rows_.data(), 0, static_cast<std::size_t>(padded * width * word_bytes));
    std::memcpy(rows_.data(), tokens_.rows + first * width,
                static_cast<std::size_t>(count * width * word_bytes));
    const std::int64_t columns = tokens_.count - from, stride = rounded_up(columns, panel);
    auto* similarities = reinterpret_cast<float*>(similarities_.data());
    multiply<Unit>({reinterpret_cast<const char*>(rows_.data()), width * word_bytes,
                    reinterpret_cast<const char*>(panels + from * width), width},
                   padded, columns, similarities, stride);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::int32_t>(first + i);
      take(similarities + i * stride + row + 1 - from, row, row + 1, tokens_.count, best);
    }
  }

  Best best;

 private:
  const Tokens& tokens_;
  Memory rows_, similarities_;
};

// Writes each row's most similar other one, as numbered from `begin`; a lone row is its own.
void search(const Tokens& tokens, std::int64_t begin, std::int64_t* nearest) {
  const Memory panels(rounded_up(tokens.count, panel) * tokens.width);
  pack_columns(tokens.rows, tokens.width, tokens.count, tokens.width, tokens.width, panels.data());
  Best best(tokens.count);
  std::deque<Search> by_thread;  // made here: no error may leave what is parallel
  for (int thread = 0; thread < omp_get_max_threads(); ++thread) by_thread.emplace_back(tokens);
#pragma omp parallel
  {
    Search& search = by_thread[omp_get_thread_num()];
    // Lower rows first, that they stay where others are equal.
#pragma omp for schedule(monotonic : dynamic)
    for (std::int64_t first = 0; first < tokens.count; first += few) {
      search.look(first, panels.data());
    }
#pragma omp critical
    for (std::int64_t row = 0; row < tokens.count; ++row) {
      best.offer(row, search.best.similarity[row], search.best.row[row]);
    }
  }
  for (std::int64_t row = 0; row < tokens.count; ++row) {
    nearest[row] = begin + (best.similarity[row] == none ? row : best.row[row]);
  }
}

}  // namespace

// The name and the arguments are those that Inductor derives from the operator's schema.
// unit: (T, C) float32, contiguous; offsets: (B + 1,) int32.
// *nearest: (T,) int64.
extern "C" AOTITorchError aoti_torch_cpu_most_similar(AtenTensorHandle unit,
                                                      AtenTensorHandle offsets,
                                                      std::int64_t special_tokens,
                                                      AtenTensorHandle* nearest) {
  return outcome_of([&] {
    const auto [rows, width] = sizes_of<2>(unit);
    require(dtype_of(unit) == aoti_torch_dtype_float32());
    const auto bounds = bounds_of(offsets, rows);
    Output output(Sizes<1>{rows}, aoti_torch_dtype_int64());
    auto* found = output.values<std::int64_t>();
    for (std::size_t image = 0; image + 1 < bounds.size(); ++image) {
      const std::int64_t end = bounds[image + 1];
      const std::int64_t begin = std::min<std::int64_t>(bounds[image] + special_tokens, end);
      for (std::int64_t row = bounds[image]; row < begin; ++row) found[row] = row;
      const auto* first = data<const float>(unit) + begin * width;
      search({first, end - begin, width}, begin, found + begin);
    }
    output.give(nearest);
  });
}

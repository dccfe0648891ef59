#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "mpm_kernels/window_label_map.h"

namespace {

using Starts = std::vector<std::int64_t>;

struct Problem {
  std::int64_t classes, down, across, height, width;
  std::int64_t image_height, image_width, window_height, window_width;
  Starts tops, lefts;
  std::vector<float> scores;  // (windows, classes, down, across)

  mpm_window_grid grid() const {
    return {image_height,
            image_width,
            window_height,
            window_width,
            static_cast<std::int64_t>(tops.size()),
            static_cast<std::int64_t>(lefts.size()),
            tops.data(),
            lefts.data()};
  }
};

// Bilinear between the values that `at` gives, rows before columns.
template <typename At>
float between(At at, std::int64_t down, std::int64_t across, std::int64_t height,
              std::int64_t width, std::int64_t row, std::int64_t column) {
  const auto position = [](std::int64_t pixel, std::int64_t coarse, std::int64_t fine) {
    const float step = static_cast<float>(coarse) / static_cast<float>(fine);
    return std::max((static_cast<float>(pixel) + 0.5F) * step - 0.5F, 0.0F);
  };
  const float y = position(row, down, height), x = position(column, across, width);
  const auto y0 = std::min(static_cast<std::int64_t>(y), down - 1), y1 = std::min(y0 + 1, down - 1);
  const auto x0 = std::min(static_cast<std::int64_t>(x), across - 1);
  const auto x1 = std::min(x0 + 1, across - 1);
  const float ty = y - static_cast<float>(y0), tx = x - static_cast<float>(x0);
  const float left = at(y0, x0) * (1 - ty) + at(y1, x0) * ty;
  const float right = at(y0, x1) * (1 - ty) + at(y1, x1) * ty;
  return left * (1 - tx) + right * tx;
}

// The mean over the windows at one pixel of the image.
float mean(const Problem& problem, std::int64_t k, std::int64_t y, std::int64_t x) {
  float sum = 0, windows = 0;
  for (std::size_t i = 0; i < problem.tops.size() * problem.lefts.size(); ++i) {
    const std::int64_t row = y - problem.tops[i / problem.lefts.size()];
    const std::int64_t column = x - problem.lefts[i % problem.lefts.size()];
    const bool is_there =
        row >= 0 && row < problem.window_height && column >= 0 && column < problem.window_width;
    if (!is_there) continue;
    const float* scores =
        problem.scores.data() +
        (static_cast<std::int64_t>(i) * problem.classes + k) * problem.down * problem.across;
    sum += between([&](auto r, auto c) { return scores[r * problem.across + c]; }, problem.down,
                   problem.across, problem.window_height, problem.window_width, row, column);
    windows += 1;
  }
  return sum / windows;
}

std::vector<int> plain_labels(const Problem& problem) {
  std::vector<int> labels;
  for (std::int64_t row = 0; row < problem.height; ++row) {
    for (std::int64_t column = 0; column < problem.width; ++column) {
      int best = 0;
      float highest = 0;
      for (std::int64_t k = 0; k < problem.classes; ++k) {
        const float value =
            between([&](auto y, auto x) { return mean(problem, k, y, x); }, problem.image_height,
                    problem.image_width, problem.height, problem.width, row, column);
        if (k > 0 && !(value > highest)) continue;
        best = static_cast<int>(k);
        highest = value;
      }
      labels.push_back(best);
    }
  }
  return labels;
}

template <typename Label>
std::vector<int> run(const Problem& problem) {
  const auto pixels = static_cast<std::size_t>(problem.height * problem.width);
  std::vector<Label> labels(pixels + 2, Label{77});  // one more on each side must stay as it was
  const mpm_window_grid grid = problem.grid();
  REQUIRE(mpm_window_label_map(problem.scores.data(), problem.classes, problem.down, problem.across,
                               &grid, problem.height, problem.width,
                               labels.data() + 1) == MPM_DONE);
  CHECK(labels.front() == 77);
  CHECK(labels.back() == 77);
  return {labels.begin() + 1, labels.end() - 1};
}

Starts starts(std::int64_t side, std::int64_t window, std::int64_t stride) {
  Starts positions;
  for (std::int64_t at = 0; at < side - window; at += stride) positions.push_back(at);
  positions.push_back(side - window);
  return positions;
}

Problem make_problem(std::int64_t classes, std::mt19937& random) {
  const auto up_to = [&](int largest) { return std::uniform_int_distribution(1, largest)(random); };
  Problem problem{classes, up_to(5),  up_to(5),  up_to(70), up_to(40), 0,
                  0,       up_to(20), up_to(20), {},        {},        {}};
  problem.image_height = problem.window_height + up_to(25) - 1;
  problem.image_width = problem.window_width + up_to(25) - 1;
  const std::int64_t side = std::min(problem.window_height, problem.window_width);
  const std::int64_t stride = std::max<std::int64_t>(side / 3, up_to(static_cast<int>(side)));
  problem.tops = starts(problem.image_height, problem.window_height, stride);
  problem.lefts = starts(problem.image_width, problem.window_width, stride);
  const auto windows = static_cast<std::int64_t>(problem.tops.size() * problem.lefts.size());
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < windows * classes * problem.down * problem.across; ++i) {
    problem.scores.push_back(normal(random));
  }
  return problem;
}

int outcome_of(const Problem& problem) {
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(problem.height * problem.width));
  const mpm_window_grid grid = problem.grid();
  return mpm_window_label_map(problem.scores.data(), problem.classes, problem.down, problem.across,
                              &grid, problem.height, problem.width, labels.data());
}

}  // namespace

TEST_SUITE("window kernels") {
  TEST_CASE("labels are those of every class at every pixel") {
    std::mt19937 random(1);
    for (const std::int64_t classes : {1, 2, 9, 257}) {
      for (int turn = 0; turn < (classes < 257 ? 12 : 1); ++turn) {
        const Problem problem = make_problem(classes, random);
        CAPTURE(classes);
        CHECK((classes <= 256 ? run<std::uint8_t>(problem) : run<std::int16_t>(problem)) ==
              plain_labels(problem));
      }
    }
  }

  TEST_CASE("the lowest class takes a tie") {
    std::mt19937 random(3);
    Problem problem = make_problem(4, random);
    problem.scores.clear();
    for (std::size_t window = 0; window < problem.tops.size() * problem.lefts.size(); ++window) {
      for (const float score : {-1.0F, 3.0F, 2.0F, 3.0F}) {
        problem.scores.insert(problem.scores.end(),
                              static_cast<std::size_t>(problem.down * problem.across), score);
      }
    }
    const auto pixels = static_cast<std::size_t>(problem.height * problem.width);
    CHECK(run<std::uint8_t>(problem) == std::vector<int>(pixels, 1));
  }

  TEST_CASE("windows that leave a gap, or the image, are refused") {
    std::mt19937 random(2);
    Problem good = make_problem(2, random);
    good.image_height = good.window_height = 10;
    good.tops = {0};
    good.window_width = 8;
    good.image_width = 20;
    good.lefts = {0, 8, 12};
    good.scores.assign(static_cast<std::size_t>(3 * 2 * good.down * good.across), 0.0F);
    CHECK(outcome_of(good) == MPM_DONE);
    for (const Starts& lefts : {Starts{0, 9, 12}, Starts{1, 8, 12}, Starts{0, 8, 13},
                                Starts{0, 8, 11}, Starts{0, 12, 8}, Starts{0, 0, 12}, Starts{}}) {
      Problem bad = good;
      bad.lefts = lefts;
      CHECK(outcome_of(bad) == MPM_BAD_SIZES);
    }
    for (std::int64_t Problem::* size :
         {&Problem::classes, &Problem::down, &Problem::across, &Problem::height, &Problem::width,
          &Problem::image_height, &Problem::window_width}) {
      Problem bad = good;
      bad.*size = 0;
      CHECK(outcome_of(bad) == MPM_BAD_SIZES);
    }
  }
}

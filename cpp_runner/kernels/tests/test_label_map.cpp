#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "mpm_kernels/label_map.h"

namespace {

struct Problem {
  std::int64_t classes, down, across, height, width;
  std::vector<float> scores;  // (classes, down, across)
};

// In which kind of number a pixel is interpolated: float as the kernel does, or double to check it.
template <typename Real>
struct Position {
  std::int64_t low, high;
  Real weight;
};

template <typename Real>
Position<Real> position(std::int64_t pixel, std::int64_t coarse, std::int64_t fine) {
  const Real scale = static_cast<Real>(coarse) / static_cast<Real>(fine);
  const Real source = std::max((static_cast<Real>(pixel) + Real(0.5)) * scale - Real(0.5), Real(0));
  const auto low = static_cast<std::int64_t>(source);
  return {low, std::min(low + 1, coarse - 1), source - static_cast<Real>(low)};
}

template <typename Real>
Real value(const Problem& problem, std::int64_t k, const Position<Real>& y,
           const Position<Real>& x) {
  const float* scores = problem.scores.data() + k * problem.down * problem.across;
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return static_cast<Real>(scores[row * problem.across + column]);
  };
  const Real left = at(y.low, x.low) * (1 - y.weight) + at(y.high, x.low) * y.weight;
  const Real right = at(y.low, x.high) * (1 - y.weight) + at(y.high, x.high) * y.weight;
  return left * (1 - x.weight) + right * x.weight;
}

// Every class at every pixel.
template <typename Real>
std::vector<int> plain_labels(const Problem& problem) {
  std::vector<int> labels;
  for (std::int64_t row = 0; row < problem.height; ++row) {
    for (std::int64_t column = 0; column < problem.width; ++column) {
      const auto y = position<Real>(row, problem.down, problem.height);
      const auto x = position<Real>(column, problem.across, problem.width);
      std::int64_t best = 0;
      for (std::int64_t k = 1; k < problem.classes; ++k) {
        if (value(problem, k, y, x) > value(problem, best, y, x)) best = k;
      }
      labels.push_back(static_cast<int>(best));
    }
  }
  return labels;
}

template <typename Label>
std::vector<int> run(const Problem& problem) {
  const auto pixels = static_cast<std::size_t>(problem.height * problem.width);
  // One more on each side, which must stay as it was.
  std::vector<Label> labels(pixels + 2, Label{77});
  REQUIRE(mpm_label_map(problem.scores.data(), problem.classes, problem.down, problem.across,
                        problem.height, problem.width, labels.data() + 1) == MPM_DONE);
  CHECK(labels.front() == 77);
  CHECK(labels.back() == 77);
  return {labels.begin() + 1, labels.end() - 1};
}

std::vector<int> native_labels(const Problem& problem) {
  return problem.classes <= 256 ? run<std::uint8_t>(problem) : run<std::int16_t>(problem);
}

// Scores of a few levels tie often; of none, never.
Problem make_problem(std::int64_t classes, std::mt19937& random, int levels) {
  const auto up_to = [&](int largest) { return std::uniform_int_distribution(1, largest)(random); };
  Problem problem{classes, up_to(9), up_to(9), up_to(50), up_to(50), {}};
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < classes * problem.down * problem.across; ++i) {
    const float score = normal(random);
    problem.scores.push_back(levels == 0 ? score : std::round(score * static_cast<float>(levels)));
  }
  return problem;
}

int outcome(std::int64_t classes, std::int64_t down, std::int64_t across, std::int64_t height,
            std::int64_t width) {
  const float score = 0;
  std::uint8_t label = 0;
  return mpm_label_map(&score, classes, down, across, height, width, &label);
}

}  // namespace

TEST_SUITE("kernels") {
  TEST_CASE("labels are those of every class at every pixel") {
    std::mt19937 random(1);
    for (const std::int64_t classes : {1, 2, 19, 150, 256, 257}) {
      for (const int levels : {0, 1, 3}) {
        for (int turn = 0; turn < 8; ++turn) {
          const Problem problem = make_problem(classes, random, levels);
          CAPTURE(classes);
          CHECK(native_labels(problem) == plain_labels<float>(problem));
        }
      }
    }
  }

  TEST_CASE("and in double precision, where the positions are exact") {
    std::mt19937 random(2);
    for (const std::int64_t factor : {1, 2, 4, 8}) {
      Problem problem = make_problem(20, random, 2);
      problem.height = factor * problem.down;
      problem.width = factor * problem.across;
      CHECK(native_labels(problem) == plain_labels<double>(problem));
    }
  }

  TEST_CASE("between two corners a third class can win") {
    CHECK(native_labels({3, 1, 2, 1, 16, {8, -8, -8, 8, 5, 5}}) ==
          std::vector<int>{0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1});
  }

  TEST_CASE("scores that are no numbers give some label") {
    std::mt19937 random(3);
    for (const float odd :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      Problem problem = make_problem(12, random, 0);
      for (std::size_t i = 0; i < problem.scores.size(); i += 3) problem.scores[i] = odd;
      for (const int label : native_labels(problem)) CHECK(label < 12);
      std::fill(problem.scores.begin(), problem.scores.end(), odd);
      for (const int label : native_labels(problem)) CHECK(label < 12);
    }
  }

  TEST_CASE("sizes out of range are refused, and nothing is read or written") {
    CHECK(outcome(1, 1, 1, 1, 1) == MPM_DONE);
    for (const std::int64_t bad : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
      CHECK(outcome(bad, 1, 1, 1, 1) == MPM_BAD_SIZES);
      CHECK(outcome(1, bad, 1, 1, 1) == MPM_BAD_SIZES);
      CHECK(outcome(1, 1, bad, 1, 1) == MPM_BAD_SIZES);
      CHECK(outcome(1, 1, 1, bad, 1) == MPM_BAD_SIZES);
      CHECK(outcome(1, 1, 1, 1, bad) == MPM_BAD_SIZES);
    }
    CHECK(outcome(MPM_LARGEST_CLASSES + 1, 1, 1, 1, 1) == MPM_BAD_SIZES);
    CHECK(outcome(1, 1, 1, 1, MPM_LARGEST_SIDE + 1) == MPM_BAD_SIZES);
  }

  TEST_CASE("threads may call it at once") {
    std::mt19937 random(4);
    const Problem problem = make_problem(60, random, 0);
    const std::vector<int> expected = native_labels(problem);
    std::vector<std::vector<int>> labels(4);
    std::vector<std::thread> threads;
    for (std::vector<int>& mine : labels) {
      threads.emplace_back([&] {
        for (int turn = 0; turn < 20; ++turn) mine = native_labels(problem);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<int>& mine : labels) CHECK(mine == expected);
  }
}

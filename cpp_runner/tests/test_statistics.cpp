#include <doctest/doctest.h>

#include <numeric>

#include "statistics.hpp"

using namespace mpm::program;

TEST_SUITE("statistics") {
  TEST_CASE("quantiles are linear between the two nearest samples") {
    CHECK(quantile({4, 1, 3, 2}, 0.5) == doctest::Approx(2.5));
    CHECK(quantile({4, 1, 3, 2}, 0.9) == doctest::Approx(3.7));
    CHECK(quantile({5}, 0.9) == 5);
  }

  TEST_CASE("p99 needs 100 samples") {
    std::vector<double> samples(99);
    std::iota(samples.begin(), samples.end(), 0);
    CHECK_FALSE(percentiles(samples).p99);
    samples.push_back(99);
    CHECK(percentiles(samples).p99.value() == doctest::Approx(98.01));
    CHECK(percentiles(samples).p50 == doctest::Approx(49.5));
  }

  TEST_CASE("tokens kept, one number a merge") {
    const TokensKept tokens = summarize_tokens({{10, 6}, {20, 8}});
    CHECK(tokens.mean == std::vector<double>{15, 7});
    CHECK(tokens.min == std::vector<int>{10, 6});
    CHECK(tokens.max == std::vector<int>{20, 8});
    CHECK(summarize_tokens({{}, {}}).mean.empty());
  }
}

#include <doctest/doctest.h>

#include <cmath>

#include "artifacts.hpp"
#include "images_made.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "score_files.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

int best_class(const ScoreMap& scores, int row, int column) {
  int best = 0;
  for (int k = 1; k < scores.classes; ++k) {
    if (scores.at(k, row, column) > scores.at(best, row, column)) best = k;
  }
  return best;
}

}  // namespace

TEST_SUITE("outputs") {
  TEST_CASE("a softmax sums to 1, and large scores do not overflow") {
    const ScoreMap shares = softmax({2, {1, 2}, {1000, -3, 1000, -3 + std::log(3.0F)}});
    CHECK(shares.size == Size{1, 2});
    CHECK(shares.at(0, 0, 0) == doctest::Approx(0.5));
    CHECK(shares.at(1, 0, 0) == doctest::Approx(0.5));
    CHECK(shares.at(0, 0, 1) == doctest::Approx(0.25));
    CHECK(shares.at(1, 0, 1) == doctest::Approx(0.75));
    CHECK(softmax({}).values.empty());
  }

  TEST_CASE("shares sum to 1 too, but where there is nothing to share") {
    const ScoreMap shared = shares({2, {1, 2}, {0.5, 0, 1.5, 0}});
    CHECK(shared.size == Size{1, 2});
    CHECK(shared.values == std::vector<float>{0.25, 0, 0.75, 0});
    CHECK(shares({}).values.empty());
  }

  TEST_CASE("only what is asked for is made") {
    for (const fs::path& artifact : test_artifacts()) {
      const Runner runner(artifact);
      const Image scene = make_scene({50, 81});
      const Result plain = runner.run(scene);
      CHECK(plain.labels.size == scene.size);
      CHECK(plain.scores.values.empty());
      CHECK(plain.probabilities.values.empty());
      CHECK(plain.image.pixels.empty());
      const Result other =
          runner.run(scene, {.labels = false, .probabilities = true, .image = true});
      CHECK(other.labels.labels.empty());
      CHECK(other.scores.values.empty());
      CHECK(other.probabilities.values.size() > 0);
      CHECK(other.image.size == scene.size);
      CHECK(other.image.pixels == scene.pixels);
      CHECK(other.merge_maps == plain.merge_maps);
    }
  }

  TEST_CASE("scores are of patches, and the best of them is the label there") {
    for (const fs::path& artifact : test_artifacts()) {
      const Runner runner(artifact);
      const Manifest& manifest = runner.manifest();
      const int patch = manifest.model.patch_size;
      const Size grid{manifest.input.height / patch, manifest.input.width / patch};
      const Result result = runner.run(make_scene(grid), {.scores = true});
      CHECK(result.scores.classes == static_cast<int>(manifest.model.classes.size()));
      CHECK(result.scores.size == grid);
      for (int row = 0; row < grid.height; ++row) {
        for (int column = 0; column < grid.width; ++column) {
          CHECK(result.labels.at(row, column) == best_class(result.scores, row, column));
        }
      }
    }
  }

  TEST_CASE("scores of windows are of the resized image, and the best of them is the label there") {
    for (const fs::path& artifact : sliding_artifacts()) {
      const Runner runner(artifact, {.label_size = LabelSize::input});
      const TemporaryFolder folder;
      const Image scene = make_scene({90, 161});
      write_bytes(folder / "a.png", encode_png(scene.size, scene.pixels));
      Stream stream = runner.stream({folder / "a.png"}, 2, {.scores = true, .probabilities = true});
      const Result result = std::get<Result>(stream.next().value());
      CHECK(result.scores.size == result.labels.size);
      CHECK(result.probabilities.size == result.labels.size);
      int different = 0;
      for (int row = 0; row < result.labels.size.height; ++row) {
        for (int column = 0; column < result.labels.size.width; ++column) {
          different += result.labels.at(row, column) != best_class(result.scores, row, column);
        }
      }
      CHECK(different == 0);
    }
  }

  TEST_CASE("a file of scores has a header whose length is a multiple of 64") {
    const TemporaryFolder folder;
    program::write_scores(folder / "a.npy", {1, {1, 2}, {1.5F, -2.0F}});
    const FileBytes file = read_bytes(folder / "a.npy");
    CHECK(file.size() == 128 + 8);
    const std::string start(file.begin(), file.begin() + 128);
    CHECK(start.starts_with(std::string("\x93NUMPY\x01\x00\x76\x00", 10)));
    CHECK(start.find("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2), }") == 10);
    CHECK(start.back() == '\n');
    CHECK(file[131] == 0x3F);  // the high byte of 1.5
    CHECK_THROWS_AS(program::write_scores(folder / "none/a.npy", {}), InputError);
  }
}

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <doctest/doctest.h>

#include <random>

#include "artifacts.hpp"
#include "backends/window_labels.hpp"
#include "images/windows.hpp"
#include "images_made.hpp"
#include "mpm_kernels/window_label_map.h"
#include "mpm_runner/mpm_runner.hpp"
#include "run/image_fit.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

using Starts = std::vector<std::int64_t>;

const InputInfo sliding{32, 48, {}, {}, "slide", 20, 40, 4.0};
const InputInfo sliding_evenly{32, 48, {}, {}, "slide_evenly"};

bool is(LargeSize size, std::int64_t height, std::int64_t width) {
  return size.height == height && size.width == width;
}

// Smaller than a window, of its size, not a multiple of the stride, very wide, very high; the third
// cannot be decoded.
std::vector<fs::path> write_images(const TemporaryFolder& folder) {
  std::vector<fs::path> files;
  for (const Size size : {Size{9, 12}, {64, 96}, {5, 5}, {77, 103}, {20, 230}, {230, 20}}) {
    const Image scene = make_scene(size);
    files.push_back(folder / (std::to_string(files.size()) + ".png"));
    write_bytes(files.back(), encode_png(scene.size, scene.pixels));
  }
  write_bytes(files[2], FileBytes{'h', 'i'});
  return files;
}

at::Tensor native_labels(const at::Tensor& scores, const WindowGrid& grid, Size size) {
  at::Tensor labels =
      at::empty({size.height, size.width}, scores.size(1) <= 256 ? at::kByte : at::kShort);
  const mpm_window_grid windows{grid.size.height,
                                grid.size.width,
                                grid.window.height,
                                grid.window.width,
                                static_cast<std::int64_t>(grid.tops.size()),
                                static_cast<std::int64_t>(grid.lefts.size()),
                                grid.tops.data(),
                                grid.lefts.data()};
  REQUIRE(mpm_window_label_map(scores.const_data_ptr<float>(), scores.size(1), scores.size(2),
                               scores.size(3), &windows, size.height, size.width,
                               labels.mutable_data_ptr()) == MPM_DONE);
  return labels;
}

}  // namespace

TEST_SUITE("windows") {
  TEST_CASE("they lie a stride apart, and one flush with the far edge") {
    CHECK(lay_windows({8, 9}, {8, 8}, 8).tops == Starts{0});
    CHECK(lay_windows({8, 9}, {8, 8}, 8).lefts == Starts{0, 1});
    CHECK(lay_windows({16, 17}, {8, 8}, 8).tops == Starts{0, 8});
    CHECK(lay_windows({16, 17}, {8, 8}, 8).lefts == Starts{0, 8, 9});
    CHECK(lay_windows({1024, 2048}, {768, 768}, 512).tops == Starts{0, 256});
    CHECK(lay_windows({1024, 2048}, {768, 768}, 512).lefts == Starts{0, 512, 1024, 1280});
  }

  TEST_CASE("as few as cover an axis lie evenly") {
    CHECK(lay_windows_evenly({8, 9}, {8, 8}).tops == Starts{0});
    CHECK(lay_windows_evenly({8, 9}, {8, 8}).lefts == Starts{0, 1});
    CHECK(lay_windows_evenly({16, 17}, {8, 8}).tops == Starts{0, 8});
    CHECK(lay_windows_evenly({16, 17}, {8, 8}).lefts == Starts{0, 4, 9});
    CHECK(lay_windows_evenly({512, 1060}, {512, 512}).lefts == Starts{0, 274, 548});
  }

  TEST_CASE("sizes are scaled in whole numbers") {
    CHECK(is(scaled_size({480, 640}, 512, 4), 512, 683));
    CHECK(is(scaled_size({1024, 2048}, 1024, 2), 1024, 2048));
    CHECK(is(scaled_size({100, 1000}, 512, 4), 205, 2048));
    CHECK(is(scaled_size({2, 3}, 3, 4), 3, 5));
    CHECK(is(scaled_size({1, 100000}, 512, 4), 1, 2048));
    CHECK(is(size_for_windows({512, 683}, {512, 512}), 512, 683));
    CHECK(is(size_for_windows({205, 2048}, {512, 512}), 512, 5115));
    CHECK(is(size_for_windows({100, 70}, {64, 96}), 137, 96));
    CHECK(is(size_of_windows({640, 480}, {512, 512}), 682, 512));
    CHECK(is(size_of_windows({480, 640}, {512, 1024}), 768, 1024));
    CHECK(is(size_of_windows({1, 3}, {64, 96}), 64, 192));
  }

  TEST_CASE("windows are cut from the scaled image, row by row") {
    const Image scene = make_scene({40, 60});  // scaled already
    const ImageWindows fitted = make_image_fit(sliding, std::nullopt)->fit(scene);
    REQUIRE(fitted.grid);
    CHECK(fitted.grid->tops == Starts{0, 8});
    CHECK(fitted.grid->lefts == Starts{0, 12});
    REQUIRE(fitted.windows.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t top = i / 2 * 8, left = i % 2 * 12;
      for (const std::size_t channel : {0, 1, 2}) {
        const std::size_t row = 31, column = 47;
        CHECK(fitted.windows[i].planes[(channel * 32 + row) * 48 + column] ==
              scene.pixels[3 * ((top + row) * 60 + left + column) + channel]);
      }
    }
  }

  TEST_CASE("even windows are cut along one axis of the antialiased image") {
    const Image scene = make_scene({200, 100});
    const ImageWindows fitted = make_image_fit(sliding_evenly, std::nullopt)->fit(scene);
    CHECK(fitted.size == Size{96, 48});
    REQUIRE(fitted.grid);
    CHECK(fitted.grid->tops == Starts{0, 32, 64});
    CHECK(fitted.grid->lefts == Starts{0});
    const FittedImage resized = fit(scene, {96, 48});
    REQUIRE(fitted.windows.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::vector<std::uint8_t>& planes = fitted.windows[i].planes;
      for (const std::size_t channel : {0, 1, 2}) {
        CHECK(std::equal(
            planes.begin() + static_cast<std::ptrdiff_t>(channel * 32 * 48),
            planes.begin() + static_cast<std::ptrdiff_t>((channel + 1) * 32 * 48),
            resized.planes.begin() + static_cast<std::ptrdiff_t>((channel * 96 + i * 32) * 48)));
      }
    }
  }

  TEST_CASE("a stride that cannot be, and an image that would become huge, are refused") {
    InputInfo resized = sliding;
    resized.fit = "resize";
    CHECK_THROWS_AS(make_image_fit(resized, 8), InputError);
    CHECK_THROWS_AS(make_image_fit(sliding_evenly, 8), InputError);
    CHECK_THROWS_AS(make_image_fit(sliding, 0), InputError);
    CHECK_THROWS_AS(make_image_fit(sliding, 33), InputError);
    CHECK_THROWS_AS(make_image_fit(sliding, std::nullopt)->fit(Image{{4, 4}, {1, 2}}), InputError);
    InputInfo wide{512, 512, {}, {}, "slide", 512, 512, 100.0};
    const Image narrow{{2, 40000}, std::vector<std::uint8_t>(3 * 2 * 40000)};
    CHECK_THROWS_AS(make_image_fit(wide, std::nullopt)->fit(narrow), ImageError);
    wide.fit = "slide_evenly";
    CHECK_THROWS_AS(make_image_fit(wide, std::nullopt)->fit(narrow), ImageError);
  }

  TEST_CASE("windows of several images fill a batch, and the label maps are those of each alone") {
    for (const fs::path& artifact : sliding_artifacts()) {
      const TemporaryFolder folder;
      const std::vector<fs::path> files = write_images(folder);
      const Runner runner(artifact, {.workers = 2});
      CHECK(runner.model().check_sample() >= 0.999);
      for (const int batch_size : {1, 3, 4, 64}) {
        Stream stream = runner.stream(files, batch_size);
        for (std::size_t i = 0; i < files.size(); ++i) {
          const Stream::Item item = stream.next().value();
          CHECK(std::holds_alternative<Skipped>(item) == (i == 2));
          if (i == 2) continue;
          const Result& result = std::get<Result>(item);
          const Result alone = runner.run(files[i]);
          CHECK(result.source == files[i]);
          CHECK(result.labels.size == decode(files[i]).size);
          CHECK(result.labels.labels == alone.labels.labels);
          CHECK(result.merge_maps == alone.merge_maps);
          CHECK(tokens_kept(result.merge_maps) == result.tokens_kept);
          CHECK(result.windows.size() == runner.fit(decode(files[i])).windows.size());
          CHECK(result.stages_ms.scores >= result.share_ms.scores);
        }
        CHECK_FALSE(stream.next());
      }
    }
  }

  TEST_CASE("aten's operators label the pixels as the native kernel does") {
    std::mt19937 random(3);
    const auto up_to = [&](int largest) {
      return std::uniform_int_distribution(1, largest)(random);
    };
    for (int turn = 0; turn < 20; ++turn) {
      const Size window{up_to(30), up_to(30)};
      const Size image{window.height + up_to(40) - 1, window.width + up_to(40) - 1};
      const Size size{up_to(60), up_to(60)};
      const WindowGrid grid =
          lay_windows(image, window, up_to(std::min(window.height, window.width)));
      const at::Tensor scores = at::randn(
          {static_cast<std::int64_t>(grid.windows()), turn % 4 == 0 ? 260 : 9, up_to(6), up_to(6)});
      CHECK(at::equal(window_labels(scores, grid, size), native_labels(scores, grid, size)));
    }
  }

  TEST_CASE("label maps come at the size that the image is resized to") {
    for (const fs::path& artifact : sliding_artifacts()) {
      const Runner runner(artifact, {.label_size = LabelSize::input, .stride = 9});
      const Result result = runner.run(make_scene({140, 280}));
      CHECK(result.labels.size == Size{70, 140});
      CHECK(result.windows.size() == 2 * 6);
      CHECK_THROWS_AS(Runner(artifact, {.stride = 65}), InputError);
    }
  }
}

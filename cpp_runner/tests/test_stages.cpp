#include "run/stages.hpp"

#include <doctest/doctest.h>

#include <latch>
#include <memory>
#include <optional>
#include <system_error>

#include "artifacts.hpp"
#include "images_made.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "run/read_ahead.hpp"
#include "threads_denied.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

namespace fs = std::filesystem;

// Gives nothing until it is stopped, as a camera that is slow.
class Waiting : public Source {
 public:
  std::optional<SourceImage> next() override {
    is_stopped_.wait();
    return std::nullopt;
  }
  void stop() override {
    if (!is_stopped_.try_wait()) is_stopped_.count_down();
  }
  bool is_live() const override { return true; }

 private:
  std::latch is_stopped_{1};
};

}  // namespace

TEST_SUITE("stages") {
  TEST_CASE("a stream that lacks a thread for one of its stages says so, and waits for nobody") {
    for (const fs::path& artifact : test_artifacts()) {
      const Runner runner(artifact, {.workers = 2});
      int threads = 0;
      for (bool is_begun = false; !is_begun; ++threads) {
        threads_left = threads;
        try {
          const Stream stream = runner.stream_from(std::make_shared<Waiting>());
          is_begun = true;
        } catch (const std::system_error& error) {
          CHECK(error.code() == std::errc::resource_unavailable_try_again);
        }
        threads_left = -1;
      }
      CHECK(threads - 1 == 1 + 2 + 3);  // one to look, the workers, and a stage's each
    }
  }

  TEST_CASE("with fewer threads than were asked for, those that are there decode it all") {
    threads_left = 1;
    ReadAhead<int, int> items(
        3, 2, [next = 0]() mutable { return next < 9 ? std::optional(next++) : std::nullopt; },
        [](int number) { return number; });
    threads_left = -1;
    for (int i = 0; i < 9; ++i) CHECK(items.next() == i);
    CHECK_FALSE(items.next());
  }

  TEST_CASE("a window that cannot be copied to the device costs its own image, and no other") {
    for (const fs::path& artifact : test_artifacts()) {
      const Model model(artifact);
      const InputInfo& input = model.manifest().input;
      Items items;
      for (const Size size :
           {Size{input.height, input.width}, {2, 3}, {input.height, input.width}}) {
        const auto pixels =
            static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
        PreparedImage image{};
        image.windows = {{size, std::vector<std::uint8_t>(3 * pixels)}};
        items.emplace_back(windows_of(std::move(image)).front());
      }
      CHECK_THROWS_AS(copy(model, std::move(items)), InputError);
      REQUIRE(items.size() == 3);
      const std::vector<ScoredBatch> scored = score_or_part(model, copy_or_leave(model, items));
      REQUIRE(scored.size() == 3);
      for (const std::size_t i : {0, 2}) {
        CHECK_FALSE(scored[i].failure);
        CHECK(scored[i].scores.images() == 1);
      }
      CHECK(scored[1].failure.value_or("").starts_with("images: expected "));
    }
  }

  TEST_CASE("what failed without a word is skipped all the same") {
    Gatherer gatherer;
    PreparedImage image{};
    image.source = "a.png";
    image.windows.resize(1);
    Items items{windows_of(std::move(image)).front()};
    const auto done = gatherer.add({.items = std::move(items), .scores = {}, .failure = ""});
    CHECK(std::get<Skipped>(done.at(0)).path == "a.png");
  }

  TEST_CASE("a list that is stopped gives nothing more, and its pixels are decoded in no time") {
    const Image scene = make_scene({50, 81});
    const std::shared_ptr<Source> list = open_images({scene, scene});
    CHECK(list->next());
    list->stop();
    CHECK_FALSE(list->next());
    for (const fs::path& artifact : test_artifacts()) {
      Stream stream = Runner(artifact).stream_from(open_images({scene}));
      CHECK(std::get<Result>(stream.next().value()).stages_ms.decode == 0);
    }
  }
}

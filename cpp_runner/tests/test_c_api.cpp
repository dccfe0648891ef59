#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <system_error>
#include <thread>

#include "artifacts.hpp"
#include "c_api/errors.hpp"
#include "c_api/result.hpp"
#include "images_made.hpp"
#include "mpm_runner/mpm.h"
#include "mpm_runner/mpm_runner.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

thread_local int allocations_left = -1;  // of this thread; -1: any number

}  // namespace

void* operator new(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

// Inlined, GCC sees what new gave go to free().
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

struct GiveBack {
  void operator()(mpm_error* error) const { mpm_error_free(error); }
  void operator()(mpm_images* images) const { mpm_images_free(images); }
  void operator()(mpm_result* result) const { mpm_result_free(result); }
  void operator()(mpm_runner* runner) const { mpm_runner_close(runner); }
  void operator()(mpm_stream* stream) const { mpm_stream_close(stream); }
};

template <typename T>
using Owned = std::unique_ptr<T, GiveBack>;

// What a call makes that must succeed.
template <typename T, typename Call>
Owned<T> made(const Call& call) {
  T* target = nullptr;
  mpm_error* error = nullptr;
  const mpm_code code = call(&target, &error);
  const Owned<mpm_error> owned(error);
  REQUIRE_MESSAGE(code == MPM_OK, (error == nullptr ? "" : mpm_error_problem(error)));
  REQUIRE(error == nullptr);
  return Owned<T>(target);
}

// What a call says that must fail.
struct Said {
  mpm_code code;
  std::string problem;
  std::string hint;
};

template <typename Call>
Said said(const Call& call) {
  mpm_error* error = nullptr;
  const mpm_code code = call(&error);
  const Owned<mpm_error> owned(error);
  REQUIRE(error != nullptr);
  CHECK(mpm_error_code(error) == code);
  CHECK(call(nullptr) == code);  // nor is the error asked for
  return {code, mpm_error_problem(error), mpm_error_hint(error)};
}

void check_refused(const std::function<mpm_code(mpm_error**)>& call, const std::string& problem) {
  const Said refused = said(call);
  CHECK(refused.code == MPM_ERROR_INPUT);
  CHECK(refused.problem == problem);
}

Owned<mpm_runner> open(const fs::path& artifact, const mpm_runner_options* options = nullptr) {
  return made<mpm_runner>([&](auto runner, auto error) {
    return mpm_runner_open(artifact.c_str(), options, runner, error);
  });
}

Owned<mpm_result> run(const Owned<mpm_runner>& runner, const fs::path& file,
                      mpm_outputs outputs = MPM_LABELS) {
  return made<mpm_result>([&](auto result, auto error) {
    return mpm_runner_run_file(runner.get(), file.c_str(), outputs, result, error);
  });
}

Owned<mpm_result> run(const Owned<mpm_runner>& runner, const FileBytes& bytes) {
  return made<mpm_result>([&](auto result, auto error) {
    return mpm_runner_run_bytes(runner.get(), bytes.data(), bytes.size(), MPM_LABELS, result,
                                error);
  });
}

// first: of the image's first row.
Owned<mpm_result> run(const Owned<mpm_runner>& runner, Size size, const std::uint8_t* first,
                      std::ptrdiff_t row_bytes, mpm_channels channels = MPM_RGB) {
  return made<mpm_result>([&](auto result, auto error) {
    return mpm_runner_run_pixels(runner.get(), first, size.height, size.width, row_bytes, channels,
                                 MPM_LABELS, result, error);
  });
}

// The scene's rows with a gap behind each, from the last row up where that is asked for.
FileBytes spread(const Image& image, std::size_t row_bytes, bool upside_down) {
  const auto height = static_cast<std::size_t>(image.size.height);
  const std::size_t width_bytes = image.pixels.size() / height;
  FileBytes rows(height * row_bytes, 99);
  for (std::size_t row = 0; row < height; ++row) {
    const std::size_t place = upside_down ? height - 1 - row : row;
    std::memcpy(&rows[place * row_bytes], &image.pixels[row * width_bytes], width_bytes);
  }
  return rows;
}

void check_same(const mpm_result& ours, const Result& theirs) {
  REQUIRE(mpm_result_reason(&ours) == nullptr);
  REQUIRE(mpm_result_height(&ours) == theirs.labels.size.height);
  REQUIRE(mpm_result_width(&ours) == theirs.labels.size.width);
  const std::uint16_t* labels = mpm_result_labels(&ours);
  CHECK(std::vector(labels, labels + theirs.labels.labels.size()) == theirs.labels.labels);
  const std::int32_t* tokens = mpm_result_tokens_kept(&ours);
  CHECK(std::vector(tokens, tokens + mpm_result_merges(&ours)) == theirs.tokens_kept);
}

std::vector<float> values(const mpm_result& result, const float* begin, int classes) {
  return {begin,
          begin + classes * mpm_result_score_rows(&result) * mpm_result_score_columns(&result)};
}

// What must not come out of the interface, and what it is told as.
struct Thrown {
  std::function<void()> raise;
  mpm_code code;
  std::string problem;
};

const std::vector<Thrown> every_kind{
    {[] { throw ArtifactError("a", "b"); }, MPM_ERROR_ARTIFACT, "a"},
    {[] { throw HostError("a", "b"); }, MPM_ERROR_HOST, "a"},
    {[] { throw ModelError("a", "b"); }, MPM_ERROR_MODEL, "a"},
    {[] { throw ImageError("a", "b"); }, MPM_ERROR_IMAGE, "a"},
    {[] { throw InputError("a", "b"); }, MPM_ERROR_INPUT, "a"},
    {[] { throw Error("a", "b"); }, MPM_ERROR_UNEXPECTED, "unexpected: a"},
    {[] { throw std::bad_alloc(); }, MPM_ERROR_HOST,
     "this machine is short of memory: Cannot allocate memory"},
    {[] { throw std::system_error(EAGAIN, std::generic_category()); }, MPM_ERROR_HOST,
     "this machine is short of threads: Resource temporarily unavailable"},
    {[] { throw fs::filesystem_error("it", "a/file", std::make_error_code(std::errc::io_error)); },
     MPM_ERROR_HOST, "a/file: Input/output error"},
    {[] { throw std::runtime_error("shapes differ\nframe #0"); }, MPM_ERROR_UNEXPECTED,
     "unexpected: shapes differ"},
    {[] { throw std::bad_function_call(); }, MPM_ERROR_UNEXPECTED, "unexpected: bad_function_call"},
    {[] { throw 7; }, MPM_ERROR_UNEXPECTED,
     "unexpected: an exception that is none of the standard's"},
};

}  // namespace

TEST_SUITE("c_api") {
  TEST_CASE("whatever is thrown becomes an error with a code") {
    for (const Thrown& thrown : every_kind) {
      const Said told = said([&](auto error) { return c_api::guarded(error, thrown.raise); });
      CHECK(told.code == thrown.code);
      CHECK(told.problem == thrown.problem);
      CHECK_FALSE(told.hint.empty());
    }
  }

  TEST_CASE("wherever memory ends, that is said, and the next call works") {
    const Owned<mpm_images> images = made<mpm_images>(mpm_images_new);
    const Image scene = make_scene({8, 9});
    const std::function<mpm_code(mpm_error**)> calls[] = {
        [&](auto error) {
          mpm_runner* runner = nullptr;
          return mpm_runner_open("/nowhere/a_name_that_is_long.pt2", nullptr, &runner, error);
        },
        [&](auto error) {
          return mpm_images_add_file(images.get(), "/a/name/that/is/longer/than/that", error);
        },
        [&](auto error) {
          return mpm_images_add_pixels(images.get(), scene.pixels.data(), 8, 9, 0, MPM_RGB, error);
        },
    };
    for (const auto& call : calls) {
      const mpm_code with_memory = call(nullptr);
      mpm_code code = MPM_ERROR_HOST;
      int allocations = 0;
      for (; code == MPM_ERROR_HOST && allocations < 1000; ++allocations) {
        mpm_error* error = nullptr;
        allocations_left = allocations;
        code = call(&error);
        allocations_left = -1;
        const Owned<mpm_error> owned(error);
        CHECK((error == nullptr) == (code == MPM_OK));
        if (code != MPM_ERROR_HOST) continue;
        CHECK(std::string(mpm_error_problem(error)).ends_with("Cannot allocate memory"));
        CHECK(std::string(mpm_error_hint(error)).starts_with("end other programs"));
      }
      CHECK(code == with_memory);
      CHECK(allocations > 1);
    }
  }

  TEST_CASE("a message is UTF-8, whatever a file is called") {
    const Said told = said([](auto error) {
      mpm_runner* runner = nullptr;
      return mpm_runner_open("/nowhere/\xff.pt2", nullptr, &runner, error);
    });
    CHECK(told.code == MPM_ERROR_ARTIFACT);
    CHECK(told.problem.find("/nowhere/\\udcff.pt2") != std::string::npos);
  }

  TEST_CASE("an image gives the label map that it gives in C++, however it comes") {
    for (const char* variable : {"MPM_TEST_ARTIFACT", "MPM_TEST_SLIDING_ARTIFACT"}) {
      for (const fs::path& artifact : artifacts_of(variable)) {
        const TemporaryFolder folder;
        const Image scene = make_scene({50, 81});
        const FileBytes file = encode_png(scene.size, scene.pixels);
        write_bytes(folder / "a.png", file);
        const Owned<mpm_runner> runner = open(artifact);
        const Result expected = Runner(artifact).run(scene);
        check_same(*run(runner, folder / "a.png"), expected);
        check_same(*run(runner, file), expected);
        check_same(*run(runner, scene.size, scene.pixels.data(), 0), expected);
        const FileBytes padded = spread(scene, 256, false);
        check_same(*run(runner, scene.size, padded.data(), 256), expected);
        const FileBytes turned = spread(scene, 243, true);
        check_same(*run(runner, scene.size, &turned[49 * 243], -243), expected);
        Image other = scene;
        for (std::size_t i = 0; i < other.pixels.size(); i += 3) {
          std::swap(other.pixels[i], other.pixels[i + 2]);
        }
        check_same(*run(runner, scene.size, other.pixels.data(), 0, MPM_BGR), expected);
      }
    }
  }

  TEST_CASE("a result has what was asked for, and where its time went") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const Image scene = make_scene({50, 81});
      write_bytes(folder / "a.png", encode_png(scene.size, scene.pixels));
      const Owned<mpm_runner> runner = open(artifact);
      const Result expected = Runner(artifact).run(scene, {.scores = true, .probabilities = true});
      const auto both = run(runner, folder / "a.png", MPM_SCORES | MPM_PROBABILITIES);
      CHECK(mpm_result_labels(both.get()) == nullptr);
      CHECK(mpm_result_height(both.get()) == 0);
      CHECK(mpm_result_score_rows(both.get()) == expected.scores.size.height);
      const int classes = mpm_runner_classes(runner.get());
      CHECK(values(*both, mpm_result_scores(both.get()), classes) == expected.scores.values);
      CHECK(values(*both, mpm_result_probabilities(both.get()), classes) ==
            expected.probabilities.values);
      for (mpm_stage stage = MPM_STAGE_DECODE; stage <= MPM_STAGE_LABELS; ++stage) {
        CHECK(mpm_result_stage_ms(both.get(), stage) > 0);
      }
      CHECK(mpm_result_stage_ms(both.get(), 99) == 0);
      CHECK(mpm_result_source(both.get()) == (folder / "a.png").string());
      const auto labels = run(runner, folder / "a.png");
      CHECK(mpm_result_scores(labels.get()) == nullptr);
      CHECK(mpm_result_probabilities(labels.get()) == nullptr);
      CHECK(mpm_result_score_columns(labels.get()) == 0);
    }
  }

  TEST_CASE("a stream gives every image in its turn, and says which it could not run") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const Image scene = make_scene({50, 81});
      const FileBytes file = encode_png(scene.size, scene.pixels);
      write_bytes(folder / "a.png", file);
      Owned<mpm_runner> runner = open(artifact);
      const Owned<mpm_images> images = made<mpm_images>(mpm_images_new);
      for (int turn = 0; turn < 3; ++turn) {
        CHECK(mpm_images_add_bytes(images.get(), "no", 2, nullptr) == MPM_OK);
        CHECK(mpm_images_add_file(images.get(), (folder / "a.png").c_str(), nullptr) == MPM_OK);
        CHECK(mpm_images_add_bytes(images.get(), file.data(), file.size(), nullptr) == MPM_OK);
        CHECK(mpm_images_add_pixels(images.get(), scene.pixels.data(), 50, 81, 0, MPM_RGB,
                                    nullptr) == MPM_OK);
        CHECK(mpm_images_add_file(images.get(), "/nowhere/b.png", nullptr) == MPM_OK);
      }
      mpm_stream* none = nullptr;
      CHECK(mpm_runner_stream(runner.get(), images.get(), 0, MPM_LABELS, &none, nullptr) ==
            MPM_ERROR_INPUT);  // and the list is as it was
      const auto stream = made<mpm_stream>([&](auto target, auto error) {
        return mpm_runner_stream(runner.get(), images.get(), 4, MPM_LABELS, target, error);
      });
      runner.reset();
      const Result expected = Runner(artifact).run(scene);
      const auto next = [&] {
        return made<mpm_result>(
            [&](auto result, auto error) { return mpm_stream_next(stream.get(), result, error); });
      };
      for (int turn = 0; turn < 3; ++turn) {
        const Owned<mpm_result> broken = next();
        REQUIRE(broken != nullptr);
        CHECK(mpm_result_reason(broken.get()) == std::string("not a JPEG or PNG file"));
        CHECK(mpm_result_source(broken.get()) == std::string());
        CHECK(mpm_result_labels(broken.get()) == nullptr);
        for (int way = 2; way <= 4; ++way) {
          const Owned<mpm_result> good = next();
          check_same(*good, expected);
          CHECK(mpm_result_index(good.get()) == 5 * turn + way);
          CHECK(mpm_result_time(good.get()) < 0);
        }
        const Owned<mpm_result> missing = next();
        CHECK(mpm_result_reason(missing.get()) ==
              std::string("cannot be read: No such file or directory"));
        CHECK(mpm_result_source(missing.get()) == std::string("/nowhere/b.png"));
      }
      CHECK(next() == nullptr);
      CHECK(next() == nullptr);
      CHECK(mpm_runner_stream(open(artifact).get(), images.get(), 1, MPM_LABELS, &none, nullptr) ==
            MPM_OK);  // of an empty list
      CHECK(Owned<mpm_stream>(none) != nullptr);
    }
  }

  TEST_CASE("a stream of a list that is stopped gives what is under way, and no more") {
    for (const fs::path& artifact : test_artifacts()) {
      const Image scene = make_scene({50, 81});
      constexpr int all = 100;
      const Owned<mpm_images> images = made<mpm_images>(mpm_images_new);
      for (int i = 0; i < all; ++i) {
        mpm_images_add_pixels(images.get(), scene.pixels.data(), 50, 81, 0, MPM_RGB, nullptr);
      }
      const auto stream = made<mpm_stream>([&](auto target, auto error) {
        return mpm_runner_stream(open(artifact).get(), images.get(), 1, MPM_LABELS, target, error);
      });
      mpm_stream_stop(stream.get());
      int given = 0;
      mpm_result* result = nullptr;
      while (mpm_stream_next(stream.get(), &result, nullptr) == MPM_OK && result != nullptr) {
        CHECK(mpm_result_stage_ms(result, MPM_STAGE_DECODE) == 0);  // they came as pixels
        mpm_result_free(result);
        ++given;
      }
      CHECK(given < all);
    }
  }

  TEST_CASE("an image without a result has a reason, were it without a word") {
    const std::unique_ptr<mpm_result> result = c_api::result_of(Skipped{"a.png", ""});
    REQUIRE(mpm_result_reason(result.get()) != nullptr);
    CHECK(std::string(mpm_result_reason(result.get())).empty());
  }

  TEST_CASE("threads may share a runner") {
    for (const fs::path& artifact : test_artifacts()) {
      const Image scene = make_scene({50, 81});
      const Owned<mpm_runner> runner = open(artifact);
      const Result expected = Runner(artifact).run(scene);
      std::vector<Owned<mpm_result>> results(4);
      std::vector<std::thread> threads;
      for (Owned<mpm_result>& result : results) {
        threads.emplace_back([&] { result = run(runner, scene.size, scene.pixels.data(), 0); });
      }
      for (std::thread& thread : threads) thread.join();
      for (const Owned<mpm_result>& result : results) check_same(*result, expected);
    }
  }

  TEST_CASE("a runner says what its artifact is") {
    CHECK(mpm_abi_version() == MPM_ABI_VERSION);
    for (const fs::path& artifact : test_artifacts()) {
      const Owned<mpm_runner> runner = open(artifact);
      const Manifest manifest = read_manifest(artifact);
      CHECK(mpm_runner_manifest(runner.get()) == manifest.json);
      CHECK(manifest.json.find("\"payload_sha256\"") != std::string::npos);
      CHECK(mpm_runner_input_height(runner.get()) == manifest.input.height);
      CHECK(mpm_runner_input_width(runner.get()) == manifest.input.width);
      const std::int32_t classes = mpm_runner_classes(runner.get());
      REQUIRE(classes == static_cast<std::int32_t>(manifest.model.classes.size()));
      for (std::int32_t index = 0; index < classes; ++index) {
        const auto at = static_cast<std::size_t>(index);
        CHECK(mpm_runner_class_name(runner.get(), index) == manifest.model.classes[at]);
        const std::uint8_t* color = mpm_runner_class_color(runner.get(), index);
        CHECK(Color{color[0], color[1], color[2]} == manifest.model.palette[at]);
      }
      CHECK(mpm_runner_class_name(runner.get(), classes) == nullptr);
      CHECK(mpm_runner_class_color(runner.get(), -1) == nullptr);
    }
  }

  TEST_CASE("options of a caller of another version are understood, or refused") {
    struct Later {
      mpm_runner_options known;
      std::int64_t unknown;
    };
    const auto opened = [](const mpm_runner_options& options) {
      return [&options](mpm_error** error) {
        mpm_runner* runner = nullptr;
        return mpm_runner_open("/nowhere", &options, &runner, error);
      };
    };
    Later later{{}, 0};
    later.known.size = sizeof later;
    CHECK(said(opened(later.known)).code == MPM_ERROR_ARTIFACT);
    later.unknown = 1;
    check_refused(opened(later.known),
                  "options: one is set that this library, of ABI 1, does not know");
    later = {{}, 0};
    later.known.size = sizeof later.known;
    later.known.reserved = 1;
    check_refused(opened(later.known),
                  "options: one is set that this library, of ABI 1, does not know");
    later.known.size = 0;
    check_refused(opened(later.known), "options: expected their size, " +
                                           std::to_string(sizeof later.known) + ", got 0");
    mpm_runner_options odd{};
    odd.size = sizeof odd;
    odd.label_size = 7;
    check_refused(opened(odd),
                  "label_size: expected MPM_LABEL_SIZE_IMAGE or MPM_LABEL_SIZE_INPUT, got 7");
    odd = {};
    odd.size = sizeof odd;
    odd.threads = -1;
    CHECK(said(opened(odd)).problem.find("threads") != std::string::npos);
  }

  TEST_CASE("options of a video are checked before it is opened") {
    for (const fs::path& artifact : test_artifacts()) {
      const Owned<mpm_runner> runner = open(artifact);
      const auto streamed = [&](const char* place, const mpm_video_options& options,
                                std::int32_t batch_size = 1) {
        return [=, &runner, &options](mpm_error** error) {
          mpm_stream* stream = nullptr;
          return mpm_runner_stream_video(runner.get(), place, &options, batch_size, MPM_LABELS,
                                         &stream, error);
        };
      };
      mpm_video_options options{};
      check_refused(streamed("a.mp4", options),
                    "options: expected their size, " + std::to_string(sizeof options) + ", got 0");
      options.size = sizeof options;
      check_refused(streamed(nullptr, options), "place: expected a pointer, got NULL");
      check_refused(streamed("a.mp4", options, 0), "batch_size: expected 1 or more, got 0");
      options.reconnect = -2;
      check_refused(streamed("a.mp4", options), "reconnect: expected 0 or more, got -2");
      options = {};
      options.size = sizeof options;
      options.timeout = -1;
      CHECK(said(streamed("a.mp4", options)).problem.starts_with("timeout: expected above 0"));
      options.timeout = 0;
      options.reserved = 1;
      check_refused(streamed("a.mp4", options),
                    "options: one is set that this library, of ABI 1, does not know");
    }
  }

  TEST_CASE("options reach the runner") {
    for (const fs::path& artifact : test_artifacts()) {
      const Image scene = make_scene({50, 81});
      mpm_runner_options options{};
      options.size = sizeof options;
      options.label_size = MPM_LABEL_SIZE_INPUT;
      options.max_pixels = 100;
      const Owned<mpm_runner> runner = open(artifact, &options);
      const auto result = run(runner, scene.size, scene.pixels.data(), 0);
      CHECK(mpm_result_height(result.get()) == mpm_runner_input_height(runner.get()));
      const FileBytes file = encode_png(scene.size, scene.pixels);
      const Said large = said([&](auto error) {
        mpm_result* none = nullptr;
        return mpm_runner_run_bytes(runner.get(), file.data(), file.size(), MPM_LABELS, &none,
                                    error);
      });
      CHECK(large.code == MPM_ERROR_IMAGE);
      CHECK(large.problem == "81 x 50 pixels, more than the 100 that are decoded");
    }
  }

  TEST_CASE("what is wrong with an argument is said by its name") {
    const Owned<mpm_images> images = made<mpm_images>(mpm_images_new);
    const std::uint8_t pixels[6] = {};
    const auto add = [&](const std::uint8_t* first, std::int32_t height, std::ptrdiff_t row_bytes,
                         mpm_channels channels) {
      return [=, list = images.get()](mpm_error** error) {
        return mpm_images_add_pixels(list, first, height, 2, row_bytes, channels, error);
      };
    };
    check_refused(add(pixels, 0, 0, MPM_RGB),
                  "pixels: expected a height and a width from 1 to 1048576, got 0 x 2");
    check_refused(add(pixels, INT32_MAX, 0, MPM_RGB),
                  "pixels: expected a height and a width from 1 to 1048576, got 2147483647 x 2");
    check_refused(add(pixels, 1, -5, MPM_RGB), "row_bytes: expected 6 or more, got -5");
    check_refused(add(pixels, 1, 0, 2), "channels: expected MPM_RGB or MPM_BGR, got 2");
    check_refused(add(nullptr, 1, 0, MPM_RGB), "pixels: expected a pointer, got NULL");
    check_refused([](auto error) { return mpm_images_new(nullptr, error); },
                  "images: expected a pointer, got NULL");
    check_refused([](auto error) { return mpm_images_add_file(nullptr, "a", error); },
                  "images: expected a pointer, got NULL");
    check_refused([&](auto error) { return mpm_images_add_file(images.get(), nullptr, error); },
                  "path: expected a pointer, got NULL");
    check_refused([&](auto error) { return mpm_images_add_bytes(images.get(), nullptr, 1, error); },
                  "bytes: expected a pointer, got NULL");
    for (const fs::path& artifact : test_artifacts()) {
      const Owned<mpm_runner> runner = open(artifact);
      check_refused(
          [&](auto error) { return mpm_runner_run_file(runner.get(), "a", 8, nullptr, error); },
          "result: expected a pointer, got NULL");
      mpm_result* result = nullptr;
      const Said asked = said(
          [&](auto error) { return mpm_runner_run_file(runner.get(), "a", 8, &result, error); });
      CHECK(asked.code == MPM_ERROR_INPUT);
      CHECK(asked.problem.starts_with("outputs: expected MPM_LABELS"));
      CHECK(result == nullptr);
    }
    mpm_error_free(nullptr);
    mpm_result_free(nullptr);
    mpm_runner_close(nullptr);
    mpm_stream_close(nullptr);
    mpm_images_free(nullptr);
  }
}

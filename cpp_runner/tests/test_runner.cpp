#include <ATen/Parallel.h>
#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "artifacts.hpp"
#include "forked.hpp"
#include "images_made.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "run/stages.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// Seven images of different sizes, of which the third cannot be decoded.
std::vector<fs::path> write_images(const TemporaryFolder& folder) {
  std::vector<fs::path> files;
  for (int i = 0; i < 7; ++i) {
    const Image scene = make_scene({40 + 11 * i, 90 - 7 * i});
    files.push_back(folder / (std::to_string(i) + ".png"));
    write_bytes(files.back(), encode_png(scene.size, scene.pixels));
  }
  write_bytes(files[2], FileBytes{'h', 'i'});
  return files;
}

double share_of_equal(const LabelMap& a, const LabelMap& b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < a.labels.size(); ++i) equal += a.labels[i] == b.labels[i];
  return static_cast<double>(equal) / static_cast<double>(a.labels.size());
}

int threads_of_a_new_thread() {
  int threads = 0;
  std::thread([&] { threads = at::get_num_threads(); }).join();
  return threads;
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Our temporary folders: ONNX Runtime 1.32 leaves a file of its own beside them, .ses.
std::size_t folders_of_ours(const fs::path& folder) {
  const auto is_ours = [](const fs::directory_entry& entry) {
    return entry.path().filename().string().starts_with(".mpm-");
  };
  return static_cast<std::size_t>(
      std::count_if(fs::directory_iterator(folder), fs::directory_iterator(), is_ours));
}

// What this process has; temporary files are those in a folder of its own. Memory is what is in
// use: arenas of malloc keep what was freed, as many as there once were threads at work.
struct Taken {
  std::size_t mappings = 0;
  std::size_t bytes = 0;
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  std::size_t temporary = 0;

  static Taken now(const fs::path& temporary) {
    std::ifstream maps("/proc/self/maps");
    const struct mallinfo2 memory = mallinfo2();
    return {static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(maps),
                                                std::istreambuf_iterator<char>(), '\n')),
            memory.uordblks + memory.hblkhd, entries("/proc/self/fd"), entries("/proc/self/task"),
            folders_of_ours(temporary)};
  }
};

// How often to open an artifact: MPM_TEST_TURNS says so where a proof may take long.
int turns() {
  const char* asked = std::getenv("MPM_TEST_TURNS");
  return asked == nullptr ? 6 : std::stoi(asked);
}

// A variable of the environment for a time.
class Variable {
 public:
  Variable(const char* name, const fs::path& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

bool says_elsewhere(const std::function<void()>& use) {
  try {
    use();
  } catch (const InputError& error) {
    return error.problem().find("in another process") != std::string::npos;
  }
  return false;
}

void check_result(const Result& result, const Manifest& manifest) {
  CHECK(result.labels.labels.size() ==
        static_cast<std::size_t>(result.labels.size.height * result.labels.size.width));
  CHECK(*std::max_element(result.labels.labels.begin(), result.labels.labels.end()) <
        manifest.model.classes.size());
  CHECK(result.tokens_kept.size() == manifest.merge.blocks.size());
  int before = manifest.patches();
  for (const int kept : result.tokens_kept) {
    CHECK(kept <= before);
    CHECK(2 * kept >= before);
    before = kept;
  }
}

}  // namespace

TEST_SUITE("runner") {
  TEST_CASE("opening again and again takes no more") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::vector<fs::path> files = write_images(folder);
      const TemporaryFolder temporary;
      const Variable in_own_folder("TMPDIR", temporary.path());
      Taken settled, last;
      for (int turn = 0; turn < turns(); ++turn) {
        {
          const Runner runner(artifact, {.threads = 2}), other(artifact, {.threads = 2});
          runner.run(make_scene({48, 64}));
          Stream stream = other.stream(files, 2);
          while (stream.next()) {
          }
        }
        last = Taken::now(temporary.path());
        if (turn == turns() / 2) settled = last;  // the first ones take what stays
      }
      CHECK(last.mappings < settled.mappings + 12);  // a library of an entry has 6
      CHECK(last.bytes < settled.bytes + fs::file_size(artifact) / 4);  // weights are most of it
      CHECK(last.descriptors <= settled.descriptors);
      CHECK(last.threads <= settled.threads);
      CHECK(last.temporary == 0);
    }
  }

  TEST_CASE("the sample answers as it did when it was built") {
    for (const fs::path& artifact : test_artifacts()) {
      CHECK(Runner(artifact).model().check_sample() >= 0.999);
    }
  }

  TEST_CASE("label maps come at the image's size, or at the input's") {
    for (const fs::path& artifact : test_artifacts()) {
      const Image scene = make_scene({50, 81});
      const Runner runner(artifact);
      const Result result = runner.run(scene);
      CHECK(result.labels.size == scene.size);
      check_result(result, runner.manifest());
      const Runner at_input(artifact, {.label_size = LabelSize::input});
      const InputInfo& input = at_input.manifest().input;
      CHECK(at_input.run(scene).labels.size == Size{input.height, input.width});
    }
  }

  TEST_CASE("a stream keeps the order, gives skipped images their place, and ends") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::vector<fs::path> files = write_images(folder);
      const Runner runner(artifact, {.workers = 3});
      for (const int batch_size : {1, 2, 4, 64}) {
        Stream stream = runner.stream(files, batch_size);
        for (std::size_t i = 0; i < files.size(); ++i) {
          const Stream::Item item = stream.next().value();
          if (i == 2) {
            CHECK(std::get<Skipped>(item).path == files[i]);
            CHECK(std::get<Skipped>(item).reason == "not a JPEG or PNG file");
            continue;
          }
          const Result& result = std::get<Result>(item);
          CHECK(result.source == files[i]);
          check_result(result, runner.manifest());
          CHECK(share_of_equal(result.labels, runner.run(files[i]).labels) >= 0.99);
        }
        CHECK_FALSE(stream.next());
      }
    }
  }

  TEST_CASE("images of a batch that run side by side answer as they do alone") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::vector<fs::path> files = write_images(folder);
      const int of_new_threads = threads_of_a_new_thread();
      const Runner runner(artifact, {.threads = 3});
      CHECK(runner.model().device().threads == 3);
      CHECK(runner.usual_batch_size() == 3);
      for (const int batch_size : {2, 3, 6}) {
        Stream stream = runner.stream(files, batch_size);
        while (const std::optional<Stream::Item> item = stream.next()) {
          const auto* result = std::get_if<Result>(&*item);
          if (result == nullptr) continue;
          const Result alone = runner.run(result->source);
          CHECK(result->merge_maps == alone.merge_maps);
          CHECK(result->labels.labels == alone.labels.labels);
        }
      }
      CHECK(threads_of_a_new_thread() == of_new_threads);
    }
  }

  TEST_CASE("a stream may be left early, and outlives its runner") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::vector<fs::path> files = write_images(folder);
      Stream left = Runner(artifact).stream(files, 2);
      CHECK(left.next());
    }
  }

  TEST_CASE("after a fork a runner works in the child where it was not used before") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::vector<fs::path> files = write_images(folder);
      const Image scene = make_scene({50, 81});
      const Runner runner(artifact, {.threads = 2});
      CHECK(in_child([&] {
        Stream stream = runner.stream(files, 2);
        std::size_t given = 0;
        while (stream.next()) ++given;
        return given == files.size() && runner.run(scene).labels.size == scene.size;
      }));
      const LabelMap labels = runner.run(scene).labels;
      Stream stream = runner.stream(files, 2);
      CHECK(stream.next());
      CHECK(in_child([&] { return says_elsewhere([&] { runner.run(scene); }); }));
      CHECK(in_child([&] {
        Stream own = std::move(stream);
        return says_elsewhere([&] { own.next(); });
      }));
      CHECK(in_child([&] {  // as the error advises
        const Runner own(artifact, {.threads = 2});
        return own.run(scene).labels.labels == labels.labels && own.stream(files, 2).next();
      }));
      CHECK(in_child([&] {  // nor does leaving wait for threads that are not there
        stream = Runner(artifact).stream({});
        const Runner dropped = runner;
        return true;
      }));
      CHECK(runner.run(scene).labels.labels == labels.labels);
      CHECK(stream.next());
    }
  }

  TEST_CASE("an image that the memory does not hold is skipped") {
    const TemporaryFolder folder;
    const fs::path file = write_images(folder).front();
    const auto skipped = [&](std::shared_ptr<const ImageFit> fit) {
      return std::get<Skipped>(Loader(std::move(fit), LabelSize::image,
                                      std::make_shared<DecodeMemory>(default_max_pixels))
                                   .load_or_skip({file}));
    };
    struct NoMemory : ImageFit {
      ImageWindows fit(const Image&) const override { throw std::bad_alloc(); }
    };
    struct TorchFails : ImageFit {
      ImageWindows fit(const Image&) const override {
        throw std::runtime_error("no kernel\nException raised from here");
      }
    };
    CHECK(skipped(std::make_shared<NoMemory>()).reason ==
          "this machine is short of memory: Cannot allocate memory");
    CHECK(skipped(std::make_shared<TorchFails>()).reason == "no kernel");
  }

  TEST_CASE("threads may share a runner") {
    for (const fs::path& artifact : test_artifacts()) {
      const Runner runner(artifact);
      const Image scene = make_scene({64, 64});
      const Result alone = runner.run(scene);
      std::vector<std::thread> threads;
      std::atomic<int> equal = 0;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back(
            [&] { equal += runner.run(scene).labels.labels == alone.labels.labels; });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(equal == 4);
    }
  }

  TEST_CASE("arguments out of range are input errors") {
    for (const fs::path& artifact : test_artifacts()) {
      CHECK_THROWS_AS(Runner(artifact, {.threads = 0}), InputError);
      CHECK_THROWS_AS(Runner(artifact, {.workers = 0}), InputError);
      CHECK_THROWS_AS(Runner(artifact, {.threads = 100'000}), InputError);
      CHECK_THROWS_AS(Runner(artifact, {.workers = 100'000}), InputError);
      CHECK_THROWS_AS(Runner(artifact, {.device = "gpu"}), InputError);
      const Runner runner(artifact);
      CHECK_THROWS_AS(runner.stream({}, 0), InputError);
      CHECK_FALSE(runner.stream({}, std::numeric_limits<int>::max()).next());
      CHECK_THROWS_AS(runner.run(fs::path("none.jpg")), ImageError);
      const FittedImage small{{2, 2}, std::vector<std::uint8_t>(12)};
      CHECK_THROWS_AS(runner.model().copy({&small, 1}), InputError);
      CHECK_THROWS_AS(runner.model().copy({}), InputError);
    }
  }

  TEST_CASE("a real artifact, cut off or changed, is refused before it is loaded") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const FileBytes file = read_bytes(artifact);
      std::mt19937 random(7);
      for (int trial = 0; trial < 4; ++trial) {
        write_bytes(folder / "cut.pt", std::span(file).first(random() % file.size()));
        CHECK_THROWS_AS(Model(folder / "cut.pt"), ArtifactError);
        FileBytes flipped = file;
        flipped[file.size() / 8 + random() % (file.size() / 2)] ^= 1;  // weights
        write_bytes(folder / "flipped.pt", flipped);
        CHECK_THROWS_AS(Model(folder / "flipped.pt"), ArtifactError);
      }
    }
  }
}

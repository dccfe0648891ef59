#include "backends/opened_once.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "artifacts.hpp"
#include "forked.hpp"
#include "images_made.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

std::shared_ptr<void> anything() { return std::make_shared<int>(); }

void unchecked() {}

OpenedOnce opened_once(const std::string& payload, const OpenedOnce::Open& open = anything,
                       const std::string& part = "scores") {
  return {payload, part, open, unchecked};
}

const int* what(const OpenedOnce& user) {
  return user.call<int>([](int& it) { return &it; });
}

// Another thread that calls it as long as this lives.
class Called {
 public:
  explicit Called(const OpenedOnce& user)
      : thread_([&] {
          user.call<int>([&](int&) {
            is_called_.count_down();
            may_end_.wait();
            return 0;
          });
        }) {
    is_called_.wait();
  }
  ~Called() {
    may_end_.count_down();
    thread_.join();
  }

 private:
  std::latch is_called_{1};
  std::latch may_end_{1};
  std::thread thread_;
};

// Runners of one file that segment one image after the other as long as this lives, as many as
// may at once.
class AtWork {
 public:
  AtWork(const fs::path& artifact, const Image& scene) {
    for (int i = 0; i < std::min(available_cores(), 8) + 1; ++i) {
      threads_.emplace_back([&, runner = Runner(artifact, {.threads = 1})] {
        while (!is_over_) runner.run(scene), ++done_;
      });
    }
  }
  ~AtWork() {
    is_over_ = true;
    for (std::thread& each : threads_) each.join();
  }

  void wait_for_more() const {
    for (const int before = done_; done_ < before + 2;) std::this_thread::yield();
  }

 private:
  std::atomic<bool> is_over_ = false;
  std::atomic<int> done_ = 0;
  std::vector<std::thread> threads_;
};

bool says_gone(const Runner& runner, const Image& scene, const fs::path& artifact) {
  try {
    runner.run(scene);
  } catch (const ArtifactError& error) {
    return error.problem() == artifact.string() + ": cannot be opened: No such file or directory";
  }
  return false;
}

}  // namespace

TEST_SUITE("opened_once") {
  TEST_CASE("one payload is opened once as long as somebody has it") {
    int opened = 0;
    const auto open = [&] {
      ++opened;
      return anything();
    };
    auto first = std::make_unique<OpenedOnce>("a", "scores", open, unchecked);
    CHECK(what(opened_once("a", open)) == what(*first));
    CHECK(opened == 1);
    const OpenedOnce labels = opened_once("a", open, "labels"), another = opened_once("b", open);
    CHECK(opened == 3);
    first.reset();
    const OpenedOnce again = opened_once("a", open);
    CHECK(opened == 4);
  }

  TEST_CASE("who finds it open checks a file of its own") {
    const auto fail = [] { throw std::runtime_error("no"); };
    const OpenedOnce first("g", "scores", anything, fail);  // which checks as it opens
    CHECK_THROWS(OpenedOnce("g", "scores", anything, fail));
    CHECK(what(opened_once("g")) == what(first));
  }

  TEST_CASE("what has no digest yet is opened each time") {
    const OpenedOnce first = opened_once(""), second = opened_once("");
    CHECK(what(first) != what(second));
  }

  TEST_CASE("what cannot be opened is tried again") {
    const auto fail = []() -> std::shared_ptr<void> { throw std::runtime_error("no"); };
    for (int turn = 0; turn < 2; ++turn) CHECK_THROWS(opened_once("c", fail));
    CHECK(what(opened_once("c")));
  }

  TEST_CASE("a forked child goes on with what is open") {
    const OpenedOnce user = opened_once("d");
    const int* const kept = what(user);
    CHECK(in_child([&] {
      return what(user) == kept && what(opened_once("d")) == kept &&
             in_child([&] { return what(user) == kept; });
    }));
  }

  TEST_CASE("a forked child opens anew what was being called, and never frees it") {
    std::weak_ptr<void> opened;
    const auto open = [&] {
      auto it = anything();
      opened = it;
      return it;
    };
    auto one = std::make_unique<OpenedOnce>("e", "scores", open, unchecked);
    auto other = std::make_unique<OpenedOnce>("e", "scores", anything, unchecked);
    const int* const kept = what(*one);
    {
      const Called called(*one);
      CHECK(in_child([&] {
        const int* const own = what(*other);
        return own != kept && what(opened_once("e")) == own &&
               in_child([&] { return what(*other) == own; });
      }));
      CHECK(in_child([&] {
        one.reset();
        other.reset();
        return !opened.expired();
      }));
    }
    CHECK(in_child([&] { return what(*other) == kept; }));
  }

  TEST_CASE("a forked child uses a runner beside others that were at work") {
    const Image scene = make_scene({50, 81});
    for (const fs::path& artifact : test_artifacts()) {
      const LabelMap expected = Runner(artifact, {.threads = 1}).run(scene).labels;
      const Runner unused(artifact, {.threads = 1});
      {
        const AtWork others(artifact, scene);
        for (int turn = 0; turn < 5; ++turn) {
          others.wait_for_more();
          CHECK(in_child([&] { return unused.run(scene).labels.labels == expected.labels; }));
        }
      }
      CHECK(unused.run(scene).labels.labels == expected.labels);
    }
  }

  TEST_CASE("a forked child says that the file to open anew is gone") {
    const Image scene = make_scene({50, 81});
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const fs::path own = folder / artifact.filename().string();
      fs::copy_file(artifact, own);
      const Runner unused(own, {.threads = 1});
      const AtWork others(own, scene);
      fs::remove(own);
      int told = 0;
      for (int turn = 0; turn < 5; ++turn) {
        others.wait_for_more();
        told += in_child([&] { return says_gone(unused, scene, own); });
      }
      CHECK(told > 0);  // some model was at work
    }
  }
}

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <initializer_list>
#include <latch>
#include <thread>

#include "artifacts.hpp"
#include "images_made.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "run/sources/live.hpp"
#include "run/sources/names.hpp"
#include "run/sources/video.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

class MadeFrame : public Frame {
 public:
  explicit MadeFrame(std::optional<double> time) : time_(time) {}

  std::optional<double> time() const override { return time_; }
  Size size() const override { return {20, 30}; }
  Image image() const override { return make_scene(size()); }

 private:
  const std::optional<double> time_;
};

constexpr auto broken_off = "Input/output error";

// Gives frames with these times, at their pace, and then ends or breaks off.
class MadeReader : public FrameReader {
 public:
  struct Script {
    std::deque<std::optional<double>> times = {};
    bool breaks_off = false;
    std::chrono::milliseconds pace{0};
    std::int64_t broken_behind = 0;  // frames that cannot be decoded, after the last one
    std::function<bool()> is_stopped = [] { return false; };
  };

  explicit MadeReader(Script script) : script_(std::move(script)) {}

  std::unique_ptr<Frame> next() override {
    std::this_thread::sleep_for(script_.pace);
    if (script_.is_stopped()) return nullptr;
    if (script_.times.empty()) broken_ = 3 + script_.broken_behind;
    if (script_.times.empty() && script_.breaks_off) throw ImageError(broken_off);
    if (script_.times.empty()) return nullptr;
    const std::optional<double> time = script_.times.front();
    script_.times.pop_front();
    return std::make_unique<MadeFrame>(time);
  }

  bool is_endless() const override { return true; }
  std::optional<std::int64_t> total() const override { return std::nullopt; }
  double frame_duration() const override { return 0.25; }
  std::int64_t broken() const override { return broken_; }

 private:
  Script script_;
  std::atomic<std::int64_t> broken_ = 3;
};

std::unique_ptr<FrameReader> made(MadeReader::Script script) {
  return std::make_unique<MadeReader>(std::move(script));
}

std::shared_ptr<Stop> no_stop() {
  return std::make_shared<Stop>([] { return false; });
}

// Tries to open it again wait no time.
std::unique_ptr<Live> live(std::unique_ptr<FrameReader> first, Live::Open open, int tries = 2,
                           std::shared_ptr<Stop> stop = no_stop()) {
  return std::make_unique<Live>("camera", std::move(first), std::move(open),
                                Reconnecting{tries, 0.001}, std::move(stop));
}

std::unique_ptr<FrameReader> refused() { throw ImageError("Connection refused"); }

std::deque<std::optional<double>> times(int count) {
  std::deque<std::optional<double>> times;
  for (int i = 0; i < count; ++i) times.emplace_back(i);
  return times;
}

void read_all(Source& source) {
  while (source.next()) {
  }
}

void nap(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

}  // namespace

TEST_SUITE("video") {
  TEST_CASE("a place says what it is") {
    for (const char* place :
         {"rtsp://camera/street", "HTTPS://host/live", "/dev/video0", "a/b.MP4"})
      CHECK(is_video(place));
    for (const char* place : {"a.jpg", "photos/", "/dev/video", "/dev/videos", "ftp://x", "mp4"})
      CHECK_FALSE(is_video(place));
  }

  TEST_CASE("a password is not shown") {
    CHECK(without_password("rtsp://me:secret@camera/a@b:c") == "rtsp://me:***@camera/a@b:c");
    CHECK(without_password("rtsp://me:p@ss:w@camera/a") == "rtsp://me:***@camera/a");
    for (const char* place : {"rtsp://me@camera:554/a", "rtsp://camera:554/a@b", "a:b@c.mp4"})
      CHECK(without_password(place) == place);
  }

  TEST_CASE("frames of a video have numbers and times, those without a stamp too") {
    Video video("a.mp4", made({{2.0, 2.5, {}, 4.0}}), no_stop());
    std::vector<double> seconds;
    while (const std::optional<SourceImage> frame = video.next()) {
      seconds.push_back(frame->time.value());
      CHECK(frame->index == static_cast<std::int64_t>(seconds.size()));
      CHECK(frame->name == "a.mp4, frame " + std::to_string(seconds.size()));
      CHECK(frame->pixels().size == Size{20, 30});
    }
    CHECK(seconds == std::vector{0.0, 0.5, 0.75, 2.0});
    CHECK(video.losses().broken == 3);
  }

  TEST_CASE("a video without a frame is refused, and one that breaks off says so at its end") {
    CHECK_THROWS_WITH_AS(Video("a.mp4", made({}), no_stop()), "not one frame in it can be decoded",
                         ImageError);
    Video video("a.mp4", made({.times = times(2), .breaks_off = true}), no_stop());
    CHECK(video.next());
    CHECK(video.next());
    CHECK_THROWS_WITH_AS(video.next(), "a.mp4: Input/output error", InputError);
  }

  TEST_CASE("of a live source the newest frame is given, and those before it are counted") {
    const auto camera =
        live(made({.times = times(20), .pace = std::chrono::milliseconds(5)}), refused, 0);
    CHECK(camera->next()->index == 1);
    nap(60);
    const std::optional<SourceImage> second = camera->next();
    CHECK(second->index == 2);
    CHECK(second->time.value() > 0.03);
    read_all(*camera);
    CHECK(camera->losses().dropped >= 5);
    CHECK(camera->losses().broken == 3);
  }

  TEST_CASE("a live source that breaks is opened again, and its time goes on") {
    int opened = 0;
    const auto again = [&] {
      if (++opened == 1) refused();
      return made({.times = times(opened == 2 ? 1 : 0), .pace = std::chrono::milliseconds(5)});
    };
    const auto camera = live(made({.times = times(1), .breaks_off = true}), again);
    CHECK(camera->next()->time == 0.0);
    CHECK(camera->next()->time.value() > 0.0);
    CHECK_THROWS_WITH_AS(camera->next(),
                         "camera: the stream broke, and 2 tries to open it again failed: it ended",
                         InputError);
    CHECK(opened == 4);  // twice until a frame came, and twice more
    CHECK(camera->losses().reconnects == 3);
  }

  TEST_CASE("one that is never opened again ends with its stream, or says how it broke") {
    const auto ended = live(made({.times = times(1)}), refused, 0);
    read_all(*ended);
    const auto broken = live(made({.times = times(1), .breaks_off = true}), refused, 0);
    CHECK_THROWS_WITH_AS(read_all(*broken),
                         "camera: the stream broke, and 0 tries to open it again failed: "
                         "Input/output error",
                         InputError);
  }

  TEST_CASE("frames that cannot be decoded are counted, with no other behind them too") {
    for (const bool breaks_off : {false, true}) {
      const MadeReader::Script script{
          .times = times(2), .breaks_off = breaks_off, .broken_behind = 14};
      Video video("a.mp4", made(script), no_stop());
      const auto camera = live(made(script), refused, breaks_off ? 0 : 1);
      for (Source* source : std::initializer_list<Source*>{&video, camera.get()}) {
        try {
          read_all(*source);
        } catch (const InputError&) {  // it broke off
        }
        CHECK(source->losses().broken == 17);
      }
    }
  }

  TEST_CASE("a live source is left within a second or two, whatever its thread waits for") {
    std::promise<void> answer;
    const auto answered = answer.get_future().share();
    auto begun = std::make_shared<std::latch>(1);
    auto camera = live(
        made({.times = times(1)}),
        [answered, begun] {
          begun->count_down();
          answered.wait();
          return refused();
        },
        1);
    CHECK(camera->next());
    begun->wait();
    const auto begin = std::chrono::steady_clock::now();
    camera.reset();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    answer.set_value();
  }

  TEST_CASE("stopping wakes whoever waits for a live source") {
    const auto stop = no_stop();
    const auto camera = live(made({.pace = std::chrono::milliseconds(1)}), refused, 1000, stop);
    std::thread waiting([&] { CHECK_FALSE(camera->next()); });
    nap(20);
    camera->stop();
    waiting.join();
    CHECK_FALSE(camera->next());
  }

  TEST_CASE("a stream has few frames of a live source under way, however slow its reader is") {
    for (const auto& artifact : test_artifacts()) {
      const Runner runner(artifact);
      const std::shared_ptr<Source> camera =
          live(made({.times = times(200), .pace = std::chrono::milliseconds(1)}), refused, 0);
      Stream stream = runner.stream_from(camera);
      nap(400);
      double before = 0;
      for (int number = 1; number <= 3; ++number) {
        const Result result = std::get<Result>(stream.next().value());
        CHECK(result.index == number);
        CHECK(result.labels.size == Size{20, 30});
        if (number == 3) CHECK(result.time.value() - before > 0.1);
        before = result.time.value();
      }
      CHECK(camera->losses().dropped > 50);
    }
  }

  TEST_CASE("a video that breaks off gives all results before that") {
    for (const auto& artifact : test_artifacts()) {
      const Runner runner(artifact);
      for (const int batch_size : {1, 3}) {
        Stream stream = runner.stream_from(
            std::make_shared<Video>("a.mp4", made({.times = times(7), .breaks_off = true}),
                                    no_stop()),
            batch_size);
        for (int number = 1; number <= 7; ++number) {
          const Result result = std::get<Result>(stream.next().value());
          CHECK(result.index == number);
          CHECK(result.source == "a.mp4, frame " + std::to_string(number));
        }
        CHECK_THROWS_AS(stream.next(), InputError);
      }
    }
  }
}

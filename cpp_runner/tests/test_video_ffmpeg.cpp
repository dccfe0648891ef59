// What FFmpeg's libraries make of files: of a build that has them.

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <span>
#include <string>
#include <thread>
#include <tuple>

#include "artifact/sha256.hpp"
#include "artifacts.hpp"
#include "console.hpp"
#include "images_made.hpp"
#include "json.hpp"
#include "mpm_runner/mpm.h"
#include "mpm_runner/mpm_runner.hpp"
#include "program_run.hpp"
#include "run/sources/ffmpeg/display_matrix.hpp"
#include "run/sources/frame_reader.hpp"
#include "run_outputs.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;
using mpm::program::Json;

namespace {

void append(FileBytes& bytes, const std::string& text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
}

// Frames of one color each, (y, u, v), with limited range: the simplest video there is.
FileBytes make_y4m(Size size, const std::vector<std::array<std::uint8_t, 3>>& colors) {
  FileBytes bytes;
  append(bytes, "YUV4MPEG2 W" + std::to_string(size.width) + " H" + std::to_string(size.height) +
                    " F25:1 Ip C420jpeg\n");
  for (const auto& color : colors) {
    append(bytes, "FRAME\n");
    const auto pixels = static_cast<std::size_t>(size.width * size.height);
    bytes.insert(bytes.end(), pixels, color[0]);
    bytes.insert(bytes.end(), pixels / 4, color[1]);
    bytes.insert(bytes.end(), pixels / 4, color[2]);
  }
  return bytes;
}

// One JPEG after another.
FileBytes make_mjpeg(const std::vector<Size>& sizes) {
  FileBytes bytes;
  for (const Size size : sizes) {
    const FileBytes jpeg = encode_jpeg(make_scene(size));
    bytes.insert(bytes.end(), jpeg.begin(), jpeg.end());
  }
  return bytes;
}

// A second of silence.
FileBytes make_wav() {
  constexpr std::string_view head(
      "RIFF\x64\x1f\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00"
      "\x01\x00\x08\x00"
      "data\x40\x1f\x00\x00",
      44);
  FileBytes bytes;
  append(bytes, std::string(head));
  bytes.insert(bytes.end(), 8000, 128);
  return bytes;
}

std::string sha256_of(const FileBytes& bytes) {
  Sha256 sum;
  sum.update(bytes.data(), bytes.size());
  return sum.hex_digest();
}

std::vector<SourceImage> all_of(Source& source) {
  std::vector<SourceImage> frames;
  while (std::optional<SourceImage> frame = source.next()) frames.push_back(std::move(*frame));
  return frames;
}

std::atomic<bool> name_server_is_slow = false;

struct Silence {
  Silence() { silence_decoders(); }
} const silence;

}  // namespace

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  static const auto find =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!name_server_is_slow) return find(node, service, hints, found);
  std::this_thread::sleep_for(std::chrono::seconds(3));
  return EAI_AGAIN;
}

TEST_SUITE("video") {
  TEST_CASE("frames have the colors of their video, and its times") {
    const TemporaryFolder folder;
    const fs::path file = folder / "a:b.y4m";  // looks like an address
    write_bytes(file, make_y4m({16, 32}, {{{16, 128, 128}}, {{235, 128, 128}}, {{81, 90, 240}}}));
    const std::vector<SourceImage> frames = all_of(*open_video(file.string()));
    REQUIRE(frames.size() == 3);
    const int expected[][3] = {{0, 0, 0}, {255, 255, 255}, {255, 0, 0}};
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(frames[i].time.value() == doctest::Approx(static_cast<double>(i) / 25));
      const Image image = frames[i].pixels();
      REQUIRE(image.size == Size{16, 32});
      for (std::size_t channel = 0; channel < 3; ++channel) {
        CHECK(std::abs(image.pixels[channel] - expected[i][channel]) <= 1);
      }
    }
  }

  TEST_CASE("frames have the bytes that Python's have") {
    const fs::path clips = MPM_CLIPS;
    const FileBytes written = read_bytes(clips / "frames.json");
    const Json expected = Json::parse(written.begin(), written.end());
    for (const auto& [name, hashes] : expected.items()) {
      CAPTURE(name);
      std::vector<std::string> found;
      for (const SourceImage& frame : all_of(*open_video((clips / name).string()))) {
        found.push_back(sha256_of(frame.pixels().pixels));
      }
      CHECK(Json(found) == hashes);
    }
  }

  TEST_CASE("a video may change its size, and what is broken in it is counted") {
    const TemporaryFolder folder;
    FileBytes bytes = make_mjpeg({{40, 64}, {40, 64}, {64, 32}, {48, 48}});
    constexpr std::array<std::uint8_t, 2> frame_head{0xff, 0xc0};
    const auto head = std::ranges::search(std::span(bytes).subspan(2), frame_head).begin();
    constexpr int to_components = 9;
    *(head + to_components) = 77;  // no picture has so many
    write_bytes(folder / "a.mjpeg", bytes);
    const auto video = open_video((folder / "a.mjpeg").string());
    std::vector<Size> sizes;
    for (const SourceImage& frame : all_of(*video)) sizes.push_back(frame.pixels().size);
    CHECK(sizes == std::vector<Size>{{40, 64}, {64, 32}, {48, 48}});
    CHECK(video->losses().broken == 1);
  }

  TEST_CASE("what is no video is refused in a sentence") {
    const TemporaryFolder folder;
    write_bytes(folder / "empty.mp4", FileBytes{});
    write_bytes(folder / "text.mp4", FileBytes(5000, 'x'));
    write_bytes(folder / "song.mp4", make_wav());
    write_bytes(folder / "none.mp4", make_y4m({16, 32}, {}));
    FileBytes playlist;
    append(playlist, "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n");
    write_bytes(folder / "list.mp4", playlist);
    for (const char* name :
         {"empty.mp4", "text.mp4", "song.mp4", "none.mp4", "list.mp4", "no.mp4"}) {
      const std::string file = (folder / name).string();
      CAPTURE(file);
      try {
        open_video(file);
        FAIL("it was opened");
      } catch (const InputError& error) {
        CHECK(error.problem().starts_with(file + ": "));
        CHECK(error.problem().find('\n') == std::string::npos);
        CHECK(error.hint() != "");
        MESSAGE(error.problem());
      }
    }
    CHECK_THROWS_WITH_AS(
        open_video((folder / "song.mp4").string()),
        ((folder / "song.mp4").string() + ": no video in it can be decoded, only audio").c_str(),
        InputError);
  }

  TEST_CASE("an option that is out of range is refused") {
    const TemporaryFolder folder;
    const std::string file = (folder / "a.y4m").string();
    write_bytes(file, make_y4m({16, 32}, {{{16, 128, 128}}}));
    for (const VideoOptions& options :
         {VideoOptions{.reconnect = -1}, {.reconnect_wait = 0}, {.timeout = -1}})
      CHECK_THROWS_AS(open_video(file, options), InputError);
  }

  TEST_CASE("a stream that nobody serves is refused, and one that is stopped ends") {
    CHECK_THROWS_AS(open_video("http://127.0.0.1:9/a", {.timeout = 2}), InputError);
    CHECK_THROWS_WITH_AS(open_video("/dev/video987654"),
                         "/dev/video987654: cannot be read as a video: No such file or directory",
                         InputError);
    const TemporaryFolder folder;
    const std::string file = (folder / "a.y4m").string();
    write_bytes(file, make_y4m({16, 32}, {{{16, 128, 128}}, {{16, 128, 128}}}));
    const auto video = open_video(file);
    video->stop();
    CHECK(all_of(*video).empty());
  }

  TEST_CASE("a name server that does not answer keeps nobody who is to stop") {
    const auto begin = std::chrono::steady_clock::now();
    const auto passed = [&] { return std::chrono::steady_clock::now() - begin; };
    name_server_is_slow = true;
    CHECK_THROWS_WITH_AS(
        open_video("http://camera.invalid/a",
                   {.is_stopped = [&] { return passed() > std::chrono::milliseconds(100); }}),
        "http://camera.invalid/a: stopped before it was open", InputError);
    CHECK(passed() < std::chrono::seconds(2));
    name_server_is_slow = false;
  }

  TEST_CASE("an output that takes the place of another is refused") {
    const TemporaryFolder folder;
    const std::string here = folder.path().string();
    write_bytes(folder / "a.mjpeg", make_mjpeg({{40, 64}}));
    const ProgramRun run = run_program("run a.pt " + here + "/a.mjpeg -o " + here +
                                       "/o.mp4 --json " + here + "/o.mp4");
    CHECK(run.exit_code == 1);
    CHECK(run.errors.find("o.mp4: expected two files for -o and --json\n") != std::string::npos);
  }

  TEST_CASE("where lines cannot be written on, their video has its end all the same") {
    const TemporaryFolder folder;
    const int lines = open((folder / "lines").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    program::show_at(lines);
    program::Arguments arguments;
    arguments.sources = {"a.mp4"};
    arguments.output = folder / "out.mkv";
    arguments.json = "-";
    const program::Inputs inputs{"a.mp4", open_images({}), true, {}, {}};
    program::RunOutputs outputs(arguments, inputs);
    Manifest manifest{};
    manifest.model.palette = {{1, 2, 3}};
    outputs.open(manifest);
    constexpr int frames = 2;
    for (int i = 0; i < frames; ++i) {
      Result result;
      result.time = i / 25.0;
      result.image = make_scene({16, 32});
      result.labels = {result.image.size, std::vector<std::uint16_t>(16 * 32)};
      outputs.write(result);
    }
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    dup2(full, lines);
    close(full);
    CHECK_THROWS_AS(outputs.end(), Error);
    program::show_at(dup(STDOUT_FILENO));
    CHECK(all_of(*open_video(arguments.output->string())).size() == frames);
  }

  TEST_CASE("a video from C gives its frames, until it is stopped") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::string file = (folder / "a.y4m").string();
      constexpr std::int64_t frames = 60;
      write_bytes(file, make_y4m({16, 32}, {frames, {{81, 90, 240}}}));
      mpm_runner* runner = nullptr;
      mpm_stream* stream = nullptr;
      REQUIRE(mpm_runner_open(artifact.c_str(), nullptr, &runner, nullptr) == MPM_OK);
      REQUIRE(mpm_runner_stream_video(runner, file.c_str(), nullptr, 1, MPM_LABELS, &stream,
                                      nullptr) == MPM_OK);
      mpm_runner_close(runner);
      std::int64_t given = 0;
      mpm_result* result = nullptr;
      while (mpm_stream_next(stream, &result, nullptr) == MPM_OK && result != nullptr) {
        CHECK(mpm_result_index(result) == ++given);
        CHECK(mpm_result_time(result) == doctest::Approx(static_cast<double>(given - 1) / 25));
        CHECK(mpm_result_width(result) == 32);
        mpm_result_free(result);
        mpm_stream_stop(stream);
      }
      CHECK(given >= 1);
      CHECK(given < frames);
      CHECK(mpm_stream_dropped(stream) + mpm_stream_broken(stream) ==
            mpm_stream_reconnects(stream));
      mpm_stream_close(stream);
    }
  }

  TEST_CASE("a display matrix asks for what an orientation does") {
    constexpr std::int32_t one = 1 << 16;
    const std::array<std::array<std::int32_t, 4>, 8> turns{{{one, 0, 0, one},
                                                            {-one, 0, 0, one},
                                                            {-one, 0, 0, -one},
                                                            {one, 0, 0, -one},
                                                            {0, one, one, 0},
                                                            {0, one, -one, 0},
                                                            {0, -one, -one, 0},
                                                            {0, -one, one, 0}}};
    for (std::size_t i = 0; i < turns.size(); ++i) {
      const auto& [a, b, c, d] = turns[i];
      const std::int32_t matrix[9] = {a, b, 0, c, d, 0, 0, 0, 1 << 30};
      CHECK(ffmpeg::orientation_of(matrix) == static_cast<int>(i) + 1);
    }
    const std::int32_t slanted[9] = {one, one, 0, -one, one, 0, 0, 0, 1 << 30};
    const std::int32_t nothing[9] = {};
    CHECK(ffmpeg::orientation_of(slanted) == 1);
    CHECK(ffmpeg::orientation_of(nothing) == 1);
  }

  TEST_CASE("the program writes a label map and a line for each frame") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::string here = folder.path().string();
      write_bytes(folder / "a.mjpeg", make_mjpeg({{40, 64}, {40, 64}, {64, 32}}));
      const std::string words =
          "run " + artifact.string() + " " + here + "/a.mjpeg --json - --output " + here + "/out";
      const ProgramRun run = run_program(words);
      CAPTURE(run.errors);
      CHECK(run.exit_code == 0);
      CHECK(run.errors.find("3 label maps in " + here + "/out\n") != std::string::npos);
      CHECK(decode(folder / "out/frame_000003.png").size == Size{64, 32});
      std::istringstream text(run.output);
      std::vector<Json> lines;
      for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
      REQUIRE(lines.size() == 5);
      CHECK(lines[0]["schema"] == "mpm-frames/1");
      CHECK(lines[2]["name"] == here + "/a.mjpeg, frame 2");
      CHECK(lines[2]["time"].get<double>() > 0);
      double sum = 0;
      for (const double share : lines[3]["shares"]) sum += share;
      CHECK(sum == doctest::Approx(1));
      CHECK(lines[4] == Json::parse(R"({"images": 3, "skipped": 0, "dropped": 0, "broken": 0,
                                        "reconnects": 0})"));
    }
  }

  TEST_CASE("the program writes a video that is read again, of even size") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      write_bytes(folder / "a.mp4", make_y4m({16, 32}, {4, {{81, 90, 240}}}));
      write_bytes(folder / "b.mjpeg", make_mjpeg({{41, 63}, {64, 32}}));
      for (const auto& [name, frames, size] :
           {std::tuple("a.mp4", 4U, Size{16, 32}), {"b.mjpeg", 2U, Size{42, 64}}}) {
        const std::string video = (folder / "out.mkv").string();
        const ProgramRun run = run_program("run " + artifact.string() + " " +
                                           (folder / name).string() + " -o " + video);
        CAPTURE(run.errors);
        CHECK(run.exit_code == 0);
        CHECK(run.errors.find(std::to_string(frames) + " frames in " + video) != std::string::npos);
        const std::vector<SourceImage> written = all_of(*open_video(video));
        REQUIRE(written.size() == frames);
        for (std::size_t i = 0; i < frames; ++i) {
          CHECK(written[i].time.value() == doctest::Approx(static_cast<double>(i) / 25));
          CHECK(written[i].pixels().size == size);
        }
      }
    }
  }
}

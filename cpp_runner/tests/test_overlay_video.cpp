#include <doctest/doctest.h>

#include "artifact/sha256.hpp"
#include "images_made.hpp"
#include "json.hpp"
#include "overlay_video.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::program;
using namespace mpm::tests;

namespace {

constexpr int classes = 5;

// A frame and its label map, as in tests/show/drawing/test_overlay_video.py.
Image make_frame(Size size) {
  Image image{size, {}};
  for (int row = 0; row < size.height; ++row) {
    for (int column = 0; column < size.width; ++column) {
      for (int channel = 0; channel < 3; ++channel) {
        const int value = 7 * row + 13 * column + 29 * channel + row * column;
        image.pixels.push_back(static_cast<std::uint8_t>(value % 256));
      }
    }
  }
  return image;
}

LabelMap make_labels(Size size) {
  LabelMap map{size, {}};
  for (int row = 0; row < size.height; ++row) {
    for (int column = 0; column < size.width; ++column) {
      map.labels.push_back(static_cast<std::uint16_t>((row / 4 + column / 3) % classes));
    }
  }
  return map;
}

std::vector<Color> make_palette() {
  std::vector<Color> palette;
  for (int k = 0; k < classes; ++k) {
    palette.push_back({static_cast<std::uint8_t>(50 * k), static_cast<std::uint8_t>(255 - 40 * k),
                       static_cast<std::uint8_t>(17 * k)});
  }
  return palette;
}

Size size_of(const Json& sides) { return {sides[0].get<int>(), sides[1].get<int>()}; }

}  // namespace

TEST_SUITE("video") {
  TEST_CASE("what goes into an overlay video has the bytes that Python's has") {
    const FileBytes written = read_bytes(MPM_OVERLAYS);
    for (const Json& expected : Json::parse(written.begin(), written.end())) {
      CAPTURE(expected);
      const Size size = size_of(expected["frame"]);
      const Image drawn = resized(overlay(make_frame(size), make_labels(size), make_palette()),
                                  size_of(expected["video"]));
      Sha256 sum;
      sum.update(drawn.pixels.data(), drawn.pixels.size());
      CHECK(sum.hex_digest() == expected["sha256"]);
    }
  }

  TEST_CASE("a video is told by its suffix, unless it is a folder") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "folder.mp4");
    CHECK(names_a_video("a/b.mp4"));
    CHECK(names_a_video("B.MKV"));
    for (const fs::path& other : {folder / "folder.mp4", fs::path("a.avi"), fs::path(".mp4")})
      CHECK_FALSE(names_a_video(other));
  }
}

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>
#include <thread>

#include "images_made.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// The problem, or "" where the file decodes. Anything but an ImageError gets through.
std::string problem_of(const FileBytes& file) {
  try {
    decode(file);
    return "";
  } catch (const ImageError& error) {
    return error.problem();
  }
}

FileBytes first_bytes(const FileBytes& file, std::size_t size) {
  return {file.begin(), file.begin() + static_cast<long>(size)};
}

FileBytes joined(FileBytes first, const FileBytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  }
  return largest;
}

std::vector<std::uint8_t> pixel(const Image& image, int row, int column) {
  const auto at = image.pixels.begin() + 3 * (row * image.size.width + column);
  return {at, at + 3};
}

using Pixel = std::vector<std::uint8_t>;

}  // namespace

TEST_SUITE("images") {
  TEST_CASE("JPEG comes back nearly as it was") {
    const Image scene = make_scene({37, 70});
    for (const bool progressive : {false, true}) {
      const Image decoded =
          decode(encode_jpeg(scene, {.quality = 100, .progressive = progressive}));
      CHECK(decoded.size == scene.size);
      CHECK(largest_difference(decoded, scene) < 100);  // subsampled color at the edge
    }
  }

  TEST_CASE("a gray JPEG has three equal channels") {
    const Image decoded = decode(encode_jpeg(make_scene({20, 30}), {.gray = true}));
    for (std::size_t i = 0; i < decoded.pixels.size(); i += 3) {
      CHECK(decoded.pixels[i] == decoded.pixels[i + 1]);
      CHECK(decoded.pixels[i] == decoded.pixels[i + 2]);
    }
  }

  TEST_CASE("CMYK: R = (C' K' + 127) / 255 of the stored samples") {
    const std::vector<std::uint8_t> flat{255, 128, 0, 200};
    std::vector<std::uint8_t> samples;
    for (int i = 0; i < 64; ++i) samples.insert(samples.end(), flat.begin(), flat.end());
    const Image decoded = decode(encode_cmyk_jpeg({8, 8}, samples));
    CHECK(pixel(decoded, 4, 4) == Pixel{200, 100, 0});
  }

  TEST_CASE("EXIF orientation of a JPEG is applied") {
    const Image scene = make_scene({16, 48});
    const Image stored = decode(encode_jpeg(scene));
    const Image turned = decode(encode_jpeg(scene, {.orientation = 6}));
    CHECK(turned.size == Size{48, 16});
    CHECK(pixel(turned, 0, 15) == pixel(stored, 0, 0));  // a quarter turn clockwise
    CHECK(pixel(turned, 47, 0) == pixel(stored, 15, 47));
    const Image flipped = decode(encode_jpeg(scene, {.orientation = 3}));
    CHECK(pixel(flipped, 15, 47) == pixel(stored, 0, 0));
  }

  TEST_CASE("PNG: RGB comes back equal, interlaced too") {
    const Image scene = make_scene({11, 13});
    CHECK(decode(encode_png(scene.size, scene.pixels)).pixels == scene.pixels);
    CHECK(decode(encode_png(scene.size, scene.pixels, {.interlaced = true})).pixels ==
          scene.pixels);
  }

  TEST_CASE("PNG: small gray is scaled to a byte") {
    CHECK(pixel(decode(encode_png({1, 8}, {0x80}, {.color_type = 0, .depth = 1})), 0, 0) ==
          Pixel{255, 255, 255});
    CHECK(pixel(decode(encode_png({1, 4}, {0x40}, {.color_type = 0, .depth = 2})), 0, 0) ==
          Pixel{85, 85, 85});
    CHECK(pixel(decode(encode_png({1, 2}, {0x30}, {.color_type = 0, .depth = 4})), 0, 0) ==
          Pixel{51, 51, 51});
  }

  TEST_CASE("PNG: of 16 bits the high byte") {
    const FileBytes row{0x12, 0xFF, 0x34, 0xFF, 0x56, 0xFF};
    CHECK(pixel(decode(encode_png({1, 1}, row, {.depth = 16})), 0, 0) == Pixel{0x12, 0x34, 0x56});
  }

  TEST_CASE("PNG: alpha is dropped, not blended") {
    CHECK(pixel(decode(encode_png({1, 1}, {9, 8, 7, 0}, {.color_type = 6})), 0, 0) ==
          Pixel{9, 8, 7});
    CHECK(pixel(decode(encode_png({1, 1}, {9, 0}, {.color_type = 4})), 0, 0) == Pixel{9, 9, 9});
  }

  TEST_CASE("PNG: a palette is expanded; colors that the file does not name are black") {
    const PngStyle style{.color_type = 3, .depth = 4, .palette = {1, 2, 3, 4, 5, 6}};
    const Image decoded = decode(encode_png({1, 4}, {0x01, 0x50}, style));
    CHECK(pixel(decoded, 0, 0) == Pixel{1, 2, 3});
    CHECK(pixel(decoded, 0, 1) == Pixel{4, 5, 6});
    CHECK(pixel(decoded, 0, 2) == Pixel{0, 0, 0});
  }

  TEST_CASE("PNG: eXIf orientation is applied, wherever the chunk stands") {
    const Image scene = make_scene({4, 6});
    const FileBytes file = encode_png(scene.size, scene.pixels);
    const FileBytes exif = make_chunk("eXIf", make_exif(8));
    for (const std::size_t at : {std::size_t{33}, file.size() - 12}) {
      FileBytes with_exif = file;
      with_exif.insert(with_exif.begin() + static_cast<long>(at), exif.begin(), exif.end());
      const Image turned = decode(with_exif);
      CHECK(turned.size == Size{6, 4});
      CHECK(pixel(turned, 5, 0) == pixel(scene, 0, 0));
    }
  }

  TEST_CASE("PNG: a broken checksum is refused in what is critical, passed over elsewhere") {
    const Image scene = make_scene({4, 6});
    FileBytes file = encode_png(scene.size, scene.pixels);
    FileBytes exif = make_chunk("eXIf", make_exif(8));
    exif.back() ^= 1;
    FileBytes with_exif = file;
    with_exif.insert(with_exif.begin() + 33, exif.begin(), exif.end());
    CHECK(decode(with_exif).pixels == scene.pixels);
    file[32] ^= 1;  // of IHDR
    CHECK(problem_of(file) == "broken PNG chunk");
  }

  TEST_CASE("cut off anywhere, a file is refused") {
    const Image scene = make_scene({24, 40});
    for (const FileBytes& file : {encode_png(scene.size, scene.pixels), encode_jpeg(scene),
                                  encode_jpeg(scene, {.progressive = true})}) {
      for (std::size_t size = 0; size < file.size() - 2; size += 3) {
        CHECK(problem_of(first_bytes(file, size)) != "");
      }
    }
  }

  TEST_CASE("of a JPEG nothing but the end of image may be missing, whatever follows") {
    const Image scene = make_scene({24, 40});
    for (const bool progressive : {false, true}) {
      const FileBytes file = encode_jpeg(scene, {.progressive = progressive});
      for (const FileBytes& tail : {FileBytes{}, FileBytes{0xFF}, FileBytes(500), file}) {
        CHECK(decode(joined(first_bytes(file, file.size() - 2), tail)).pixels ==
              decode(file).pixels);
        CHECK(problem_of(joined(first_bytes(file, file.size() - 3), tail)) ==
              "the file ends early");
      }
    }
  }

  TEST_CASE("a JPEG that is cut before its end of image is refused") {
    const Image scene = make_scene({64, 96});
    for (const bool progressive : {false, true}) {
      const FileBytes file = encode_jpeg(scene, {.progressive = progressive});
      for (const std::size_t part : {3, 4, 5}) {  // of six: the header is shorter than half
        CHECK(problem_of(joined(first_bytes(file, file.size() * part / 6), {0xFF, 0xD9})) ==
              "the file ends early");
      }
    }
  }

  TEST_CASE("flipped bits never do more than refuse a file or change its pixels") {
    const Image scene = make_scene({24, 40});
    std::mt19937 random(7);
    for (const FileBytes& file : {encode_png(scene.size, scene.pixels), encode_jpeg(scene),
                                  encode_jpeg(scene, {.progressive = true, .orientation = 5})}) {
      for (int trial = 0; trial < 400; ++trial) {
        FileBytes flipped = file;
        for (int flips = 1 + trial % 4; flips > 0; --flips) {
          flipped[random() % file.size()] ^= static_cast<std::uint8_t>(1 << random() % 8);
        }
        problem_of(flipped);
      }
    }
  }

  TEST_CASE("what is no image, and what is too large, is named") {
    CHECK(problem_of({}) == "the file is empty");
    CHECK(problem_of({'h', 'e', 'l', 'l', 'o'}) == "not a JPEG or PNG file");
    FileBytes bomb{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const FileBytes header =
        make_chunk("IHDR", {0, 0, 0x9C, 0x40, 0, 0, 0x9C, 0x40, 8, 2, 0, 0, 0});
    const FileBytes end = make_chunk("IEND", {});
    bomb.insert(bomb.end(), header.begin(), header.end());
    bomb.insert(bomb.end(), end.begin(), end.end());
    CHECK(problem_of(bomb) == "40000 x 40000 pixels, more than the 128,000,000 that are decoded");
  }

  TEST_CASE("an image of more pixels than are allowed is refused, and more may be allowed") {
    const Image scene = make_scene({24, 40});
    for (const FileBytes& file : {encode_png(scene.size, scene.pixels), encode_jpeg(scene)}) {
      CHECK(decode(file, 960).size == scene.size);
      CHECK_THROWS_WITH_AS(decode(file, 959), "40 x 24 pixels, more than the 959 that are decoded",
                           ImageError);
    }
  }

  TEST_CASE("of a PNG's packed rows the checksum counts, and not what follows them") {
    const Image scene = make_scene({24, 40});
    const FileBytes file = encode_png(scene.size, scene.pixels);
    const auto name = std::search(file.begin(), file.end(), "IDAT", "IDAT" + 4);
    const FileBytes packed(name + 4, file.end() - 16);  // before its checksum and IEND
    const FileBytes front(file.begin(), name - 4);
    const auto with = [&](const FileBytes& data) {
      return joined(joined(front, make_chunk("IDAT", data)), make_chunk("IEND", {}));
    };
    CHECK(decode(with(packed)).pixels == scene.pixels);
    CHECK(decode(joined(with(joined(packed, {1, 2, 3})), {4, 5})).pixels == scene.pixels);
    FileBytes damaged = packed;
    damaged.back() ^= 1;
    CHECK(problem_of(with(damaged)) == "broken image data");
    CHECK(problem_of(with(first_bytes(packed, packed.size() - 4))) == "broken image data");
    CHECK(problem_of(with({})) == "PNG without image data");
  }

  TEST_CASE("a progressive JPEG without its last scan is refused") {
    const FileBytes file = encode_jpeg(make_scene({24, 40}), {.progressive = true});
    const FileBytes scan{0xFF, 0xDA};
    const auto last = std::find_end(file.begin(), file.end(), scan.begin(), scan.end());
    CHECK(problem_of(joined(FileBytes(file.begin(), last), {0xFF, 0xD9})) == "the file ends early");
    FileBytes many(file.begin(), file.end() - 2);
    for (int i = 0; i < 100; ++i) many.insert(many.end(), last, file.end() - 2);
    CHECK(problem_of(joined(many, {0xFF, 0xD9})) == "JPEG of more than 100 scans is not read");
  }

  TEST_CASE("a file that cannot be read is an image error that names it") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH_AS(decode(folder / "none.jpg"), doctest::Contains("none.jpg: cannot be read"),
                         ImageError);
    CHECK_THROWS_AS(decode(folder.path()), ImageError);
  }

  TEST_CASE("fit keeps an image of the right size, and an even one even") {
    const Image scene = make_scene({8, 12});
    const FittedImage same = fit(scene, {8, 12});
    CHECK(same.planes.size() == scene.pixels.size());
    CHECK(same.planes[8 * 12] == scene.pixels[1]);  // the green plane begins
    const Image even{{50, 30}, std::vector<std::uint8_t>(50 * 30 * 3, 77)};
    const FittedImage resized = fit(even, {16, 16});
    CHECK(resized.planes == std::vector<std::uint8_t>(16 * 16 * 3, 77));
  }

  TEST_CASE("fit gives RGB of BGR") {
    const Image rgb = make_scene({8, 12});
    Image bgr = rgb;
    bgr.channels = ChannelOrder::bgr;
    for (std::size_t i = 0; i < bgr.pixels.size(); i += 3) {
      std::swap(bgr.pixels[i], bgr.pixels[i + 2]);
    }
    for (const Size size : {Size{8, 12}, Size{16, 16}}) {
      CHECK(fit(bgr, size).planes == fit(rgb, size).planes);
    }
  }

  TEST_CASE("fit refuses a buffer of another size") {
    CHECK_THROWS_AS(fit(Image{{4, 4}, {1, 2, 3}}, {2, 2}), InputError);
    CHECK_THROWS_AS(fit(Image{}, {2, 2}), InputError);
  }

  TEST_CASE(
      "images of a folder: by suffix in any case, sorted by bytes, none hidden, no sub-folders") {
    const TemporaryFolder folder;
    for (const char* name :
         {"b.JPG", "a.png", "B.jpeg", "notes.txt", "c.gif", "._b.JPG", ".nfs01.png"}) {
      write_bytes(folder / name, FileBytes{1});
    }
    fs::create_directory(folder / "sub.png");
    std::vector<std::string> names;
    for (const fs::path& file : find_images(folder.path())) names.push_back(file.filename());
    CHECK(names == std::vector<std::string>{"B.jpeg", "a.png", "b.JPG"});
  }

  TEST_CASE("a pipe is an image") {
    const TemporaryFolder folder;
    const fs::path pipe = folder / "pipe";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(find_images(pipe) == std::vector<fs::path>{pipe});
    const Image scene = make_scene({8, 12});
    std::thread other_program([&] { write_bytes(pipe, encode_png(scene.size, scene.pixels)); });
    CHECK(decode(pipe).pixels == scene.pixels);
    other_program.join();
  }

  TEST_CASE("a folder of folders has a cure that names one, and how to take all") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "empty");
    fs::create_directory(folder / "day");
    const auto cure = [&] {
      try {
        find_images(folder.path());
      } catch (const InputError& error) {
        return error.hint();
      }
      return std::string();
    };
    CHECK(cure() == "name a folder that holds JPEG or PNG files");
    write_bytes(folder / "day/a.png", FileBytes{1});
    CHECK(cure() == "name one inside it, as " + (folder / "day").string() +
                        "; `run` takes them all with --recursive");
  }

  TEST_CASE("nothing to find is an input error") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(find_images(folder.path()), InputError);
    CHECK_THROWS_AS(find_images(folder / "none"), InputError);
  }
}

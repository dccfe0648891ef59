#include <doctest/doctest.h>

#include "label_maps.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::program;
using namespace mpm::tests;

TEST_SUITE("label_maps") {
  TEST_CASE("images that share a stem keep their whole names") {
    CHECK(label_map_names({"x/a.jpg", "x/a.png", "x/b.c.jpg"}) ==
          std::vector<std::string>{"a.jpg.png", "a.png.png", "b.c.png"});
    CHECK_THROWS_WITH_AS(label_map_names({"x/a.jpg", "b.jpg", "y/a.jpg", "z/a.jpg"}),
                         "x/a.jpg and y/a.jpg and z/a.jpg: expected names that differ, got label "
                         "map a.jpg.png for each",
                         InputError);
  }

  TEST_CASE("a palette PNG shows every class in its color, and nothing else is left") {
    const TemporaryFolder folder;
    const LabelMap labels{{2, 3}, {0, 1, 2, 2, 1, 0}};
    write_label_map(folder / "a.png", labels, {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
    const Image picture = decode(folder / "a.png");
    CHECK(picture.size == labels.size);
    CHECK(picture.pixels == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9,  //
                                                      7, 8, 9, 4, 5, 6, 1, 2, 3});
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
  }

  TEST_CASE("past 256 classes it is 16-bit gray") {
    const TemporaryFolder folder;
    write_label_map(folder / "a.png", {{1, 2}, {258, 5}}, std::vector<Color>(300));
    const FileBytes file = read_bytes(folder / "a.png");
    CHECK(file[24] == 16);  // bits, after width and height
    CHECK(file[25] == 0);   // gray
    CHECK(decode(folder / "a.png").pixels == std::vector<std::uint8_t>{1, 1, 1, 0, 0, 0});
  }

  TEST_CASE("a folder that is not there is an input error") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(write_label_map(folder / "none/a.png", {{1, 1}, {0}}, {{0, 0, 0}}), InputError);
  }
}

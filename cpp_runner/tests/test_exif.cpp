#include <doctest/doctest.h>

#include "images/formats/exif.hpp"
#include "images_made.hpp"

using namespace mpm;
using namespace mpm::tests;

TEST_SUITE("exif") {
  TEST_CASE("every orientation, in both byte orders") {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      CHECK(read_orientation(make_exif(orientation, false)) == orientation);
      CHECK(read_orientation(make_exif(orientation, true)) == orientation);
    }
  }

  TEST_CASE("a value that is no orientation counts as none") {
    CHECK(read_orientation(make_exif(0)) == 1);
    CHECK(read_orientation(make_exif(9)) == 1);
  }

  TEST_CASE("an orientation of another type counts as none") {
    FileBytes exif = make_exif(6);
    exif[12] = 4;  // long
    CHECK(read_orientation(exif) == 1);
  }

  TEST_CASE("cut off anywhere before its value ends, it counts as none") {
    const FileBytes exif = make_exif(6);
    const std::size_t entry_end = 22;
    for (std::size_t size = 0; size < exif.size(); ++size) {
      const FileBytes cut(exif.begin(), exif.begin() + static_cast<long>(size));
      CHECK(read_orientation(cut) == (size < entry_end ? 1 : 6));
    }
  }

  TEST_CASE("a directory far outside counts as none") {
    FileBytes exif = make_exif(6);
    exif[4] = exif[5] = exif[6] = exif[7] = 0xFF;
    CHECK(read_orientation(exif) == 1);
  }
}

#include "images/formats/orientation.hpp"

#include <array>

namespace mpm {

namespace {

// What an orientation asks for: transpose, then flip rows, then flip columns.
struct Turn {
  bool transpose;
  bool flip_rows;
  bool flip_columns;
};

constexpr std::array<Turn, 9> turns{{
    {},
    {false, false, false},
    {false, false, true},
    {false, true, true},
    {false, true, false},
    {true, false, false},
    {true, false, true},
    {true, true, true},
    {true, true, false},
}};

}  // namespace

Image turn_upright(Raster raster) {
  if (raster.orientation == 1) return std::move(raster.image);
  const Turn turn = turns.at(static_cast<std::size_t>(raster.orientation));
  const Image& stored = raster.image;
  Image upright{stored.size, std::vector<std::uint8_t>(stored.pixels.size())};
  if (turn.transpose) std::swap(upright.size.height, upright.size.width);

  const int height = upright.size.height;
  const int width = upright.size.width;
  std::uint8_t* target = upright.pixels.data();
  for (int row = 0; row < height; ++row) {
    for (int column = 0; column < width; ++column) {
      int from_row = turn.flip_rows ? height - 1 - row : row;
      int from_column = turn.flip_columns ? width - 1 - column : column;
      if (turn.transpose) std::swap(from_row, from_column);
      const auto pixel =
          static_cast<std::size_t>(from_row) * static_cast<std::size_t>(stored.size.width) +
          static_cast<std::size_t>(from_column);
      const std::uint8_t* source = stored.pixels.data() + 3 * pixel;
      for (int channel = 0; channel < 3; ++channel) *target++ = source[channel];
    }
  }
  return upright;
}

}  // namespace mpm

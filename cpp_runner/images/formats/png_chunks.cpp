#include "images/formats/png_chunks.hpp"

#include <zlib.h>

#include <algorithm>
#include <span>
#include <string>

#include "images/formats/exif.hpp"
#include "images/formats/raster.hpp"

namespace mpm {

namespace {

constexpr std::size_t signature_size = 8;

constexpr std::size_t most_chunks = 100'000;  // writers pack 8,192 bytes and more into each

struct Chunk {
  std::string name;
  Bytes data;
};

// First column and row of a pass, and the steps to the next ones.
struct Pass {
  int left, top, across, down;
};

constexpr std::array<Pass, 1> whole{{{0, 0, 1, 1}}};
constexpr std::array<Pass, 7> adam7{{{0, 0, 8, 8},
                                     {4, 0, 8, 8},
                                     {0, 4, 4, 8},
                                     {2, 0, 4, 4},
                                     {0, 2, 2, 4},
                                     {1, 0, 2, 2},
                                     {0, 1, 1, 2}}};

bool is_sound(Bytes whole) {
  const std::size_t end = whole.size() - 4;
  const auto checksum = crc32(0, whole.data() + 4, static_cast<uInt>(end - 4));
  return checksum == read_u32(whole, end);
}

bool is_critical(const std::string& name) { return (name[0] & 0x20) == 0; }

bool is_known(const std::string& name) {
  return name == "IHDR" || name == "PLTE" || name == "IDAT" || name == "IEND";
}

// Every chunk up to IEND whose checksum holds; only an optional one may fail it.
std::vector<Chunk> read_chunks(Bytes file) {
  std::vector<Chunk> chunks;
  std::string name;
  std::size_t count = 0;
  for (std::size_t position = signature_size; name != "IEND";) {
    if (count++ == most_chunks) {
      throw ImageError("PNG of more than 100,000 chunks is not read", "save it anew");
    }
    if (file.size() - position < 12) throw ImageError(ends_early);
    const std::size_t length = read_u32(file, position);
    if (file.size() - position - 12 < length) throw ImageError(ends_early);
    const Bytes whole = file.subspan(position, length + 12);
    name.assign(whole.begin() + 4, whole.begin() + 8);
    const bool sound = is_sound(whole);
    if (is_critical(name) && !(sound && is_known(name))) throw ImageError("broken PNG chunk");
    if (sound) chunks.push_back({name, whole.subspan(8, length)});
    position += whole.size();
  }
  return chunks;
}

bool is_depth_of(std::uint8_t depth, std::uint8_t color_type) {
  const bool is_small = depth == 1 || depth == 2 || depth == 4;
  switch (color_type) {
    case 0:
      return is_small || depth == 8 || depth == 16;
    case PngChunks::palette_type:
      return is_small || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

// header: width (4 bytes), height (4), depth, color type, compression, filtering, interlace
void read_header(const std::vector<Chunk>& chunks, const Admit& admit, PngChunks& png) {
  const Chunk& header = chunks[0];
  const auto headers = std::count_if(chunks.begin(), chunks.end(),
                                     [](const Chunk& chunk) { return chunk.name == "IHDR"; });
  if (header.name != "IHDR" || header.data.size() != 13) throw ImageError("broken PNG header");
  admit(read_u32(header.data, 0), read_u32(header.data, 4));
  png.size = {static_cast<int>(read_u32(header.data, 4)),
              static_cast<int>(read_u32(header.data, 0))};
  png.depth = header.data[8];
  png.color_type = header.data[9];
  png.is_interlaced = header.data[12] == 1;
  const bool known = is_depth_of(png.depth, png.color_type) && header.data[10] == 0 &&
                     header.data[11] == 0 && header.data[12] < 2;
  if (!known || headers != 1) throw ImageError("broken PNG header");
}

const Chunk* find_chunk(const std::vector<Chunk>& chunks, std::string_view name) {
  const auto found = std::find_if(chunks.begin(), chunks.end(),
                                  [&](const Chunk& chunk) { return chunk.name == name; });
  return found == chunks.end() ? nullptr : &*found;
}

void read_palette(const Chunk* chunk, PngChunks& png) {
  const std::size_t size = chunk == nullptr ? 0 : chunk->data.size();
  if (size == 0 || size % 3 != 0 || size > 3 * 256) throw ImageError("broken PNG palette");
  for (std::size_t i = 0; i < size; ++i) png.palette[i / 3][i % 3] = chunk->data[i];
}

std::uint64_t channels_of(std::uint8_t color_type) {
  switch (color_type) {
    case 2:
      return 3;
    case 4:
      return 2;
    case 6:
      return 4;
    default:
      return 1;
  }
}

// How many of `count` columns or rows a pass has.
std::uint64_t steps(int count, int first, int step) {
  return count <= first ? 0 : static_cast<std::uint64_t>((count - first - 1) / step + 1);
}

}  // namespace

std::uint64_t PngChunks::stored_size() const {
  const std::span<const Pass> passes = is_interlaced ? std::span<const Pass>(adam7) : whole;
  const std::uint64_t bits = depth * channels_of(color_type);
  std::uint64_t bytes = 0;
  for (const Pass& pass : passes) {
    const std::uint64_t columns = steps(size.width, pass.left, pass.across);
    const std::uint64_t rows = steps(size.height, pass.top, pass.down);
    if (columns > 0) bytes += rows * (1 + (columns * bits + 7) / 8);
  }
  return bytes;
}

PngChunks read_png_chunks(Bytes file, const Admit& admit) {
  const std::vector<Chunk> chunks = read_chunks(file);
  PngChunks png{};
  read_header(chunks, admit, png);
  png.header = chunks[0].data;
  if (png.has_palette()) read_palette(find_chunk(chunks, "PLTE"), png);
  for (const Chunk& chunk : chunks) {
    if (chunk.name == "IDAT") png.packed.push_back(chunk.data);
  }
  const Chunk* exif = find_chunk(chunks, "eXIf");
  png.orientation = exif == nullptr ? 1 : read_orientation(exif->data);
  return png;
}

}  // namespace mpm

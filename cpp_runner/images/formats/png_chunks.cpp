#include "images/formats/png_chunks.hpp"

#include <zlib.h>

#include <algorithm>
#include <string>

#include "images/formats/exif.hpp"
#include "images/formats/raster.hpp"

namespace mpm {

namespace {

constexpr std::size_t signature_size = 8;

struct Chunk {
  std::string name;
  Bytes data;
  Bytes whole;  // length, name, data and checksum
};

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
  for (std::size_t position = signature_size; name != "IEND";) {
    if (file.size() - position < 12) throw ImageError(ends_early);
    const std::size_t length = read_u32(file, position);
    if (file.size() - position - 12 < length) throw ImageError(ends_early);
    const Bytes whole = file.subspan(position, length + 12);
    name.assign(whole.begin() + 4, whole.begin() + 8);
    const bool sound = is_sound(whole);
    if (is_critical(name) && !(sound && is_known(name))) throw ImageError("broken PNG chunk");
    if (sound) chunks.push_back({name, whole.subspan(8, length), whole});
    position += whole.size();
  }
  return chunks;
}

bool is_depth_of(std::uint8_t depth, std::uint8_t color_type) {
  const bool is_small = depth == 1 || depth == 2 || depth == 4;
  switch (color_type) {
    case 0:
      return is_small || depth == 8 || depth == 16;
    case PngStream::palette_type:
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
void read_header(const std::vector<Chunk>& chunks, PngStream& png) {
  const Chunk& header = chunks[0];
  const auto headers = std::count_if(chunks.begin(), chunks.end(),
                                     [](const Chunk& chunk) { return chunk.name == "IHDR"; });
  if (header.name != "IHDR" || header.data.size() != 13) throw ImageError("broken PNG header");
  check_size(read_u32(header.data, 0), read_u32(header.data, 4));
  png.size = {static_cast<int>(read_u32(header.data, 4)),
              static_cast<int>(read_u32(header.data, 0))};
  png.depth = header.data[8];
  png.color_type = header.data[9];
  const bool known = is_depth_of(png.depth, png.color_type) && header.data[10] == 0 &&
                     header.data[11] == 0 && header.data[12] < 2;
  if (!known || headers != 1) throw ImageError("broken PNG header");
}

const Chunk* find_chunk(const std::vector<Chunk>& chunks, std::string_view name) {
  const auto found = std::find_if(chunks.begin(), chunks.end(),
                                  [&](const Chunk& chunk) { return chunk.name == name; });
  return found == chunks.end() ? nullptr : &*found;
}

void read_palette(const Chunk* chunk, PngStream& png) {
  const std::size_t size = chunk == nullptr ? 0 : chunk->data.size();
  if (size == 0 || size % 3 != 0 || size > 3 * 256) throw ImageError("broken PNG palette");
  for (std::size_t i = 0; i < size; ++i) png.palette[i / 3][i % 3] = chunk->data[i];
}

void append(const Bytes part, std::vector<std::uint8_t>& bytes) {
  bytes.insert(bytes.end(), part.begin(), part.end());
}

}  // namespace

PngStream read_png_chunks(Bytes file) {
  const std::vector<Chunk> chunks = read_chunks(file);
  PngStream png{};
  read_header(chunks, png);
  if (find_chunk(chunks, "IDAT") == nullptr) throw ImageError("PNG without image data");
  append(file.first(signature_size), png.bytes);
  append(chunks[0].whole, png.bytes);
  if (png.color_type == PngStream::palette_type) {
    const Chunk* palette = find_chunk(chunks, "PLTE");
    read_palette(palette, png);
    append(palette->whole, png.bytes);
  }
  for (const Chunk& chunk : chunks) {
    if (chunk.name == "IDAT") append(chunk.whole, png.bytes);
  }
  append(chunks.back().whole, png.bytes);
  const Chunk* exif = find_chunk(chunks, "eXIf");
  png.orientation = exif == nullptr ? 1 : read_orientation(exif->data);
  return png;
}

}  // namespace mpm

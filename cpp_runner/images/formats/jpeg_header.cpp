#include "images/formats/jpeg_header.hpp"

#include <algorithm>
#include <optional>

#include "images/formats/exif.hpp"
#include "images/formats/jpeg_scans.hpp"
#include "images/formats/raster.hpp"

namespace mpm {

namespace {

struct Segment {
  std::uint8_t marker;
  std::size_t start;  // of its 0xFF
  std::size_t end;
  Bytes payload;
};

constexpr std::uint8_t start_of_image = 0xD8;
constexpr std::uint8_t end_of_image = 0xD9;
constexpr std::uint8_t start_of_scan = 0xDA;
constexpr std::uint8_t exif_segment = 0xE1;
constexpr std::uint8_t progressive_frame = 0xC2;
constexpr std::size_t most_segments = 10'000;  // 600 megabytes of metadata, where each is full
constexpr std::size_t never_written = 16;      // zeros: room that a file was given and did not fill

// Stuffed byte, TEM, restart markers: no length follows.
bool is_standalone(std::uint8_t marker) {
  return marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD7);
}

// C4, C8 and CC lie between the frames and are none.
bool is_frame(std::uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool is_arithmetic(std::uint8_t marker) { return marker >= 0xC9; }
bool is_huffman(std::uint8_t marker) { return marker <= 0xC2; }

// JFIF (APP0) and Adobe (APP14) decide the color space; the rest says nothing about pixels.
bool is_metadata(std::uint8_t marker) {
  return (marker >= 0xE1 && marker <= 0xEF && marker != 0xEE) || marker == 0xFE;
}

// Where the next marker's code is: markers may stand after any number of 0xFF.
std::size_t find_marker(Bytes file, std::size_t position) {
  while (position < file.size() && file[position] != 0xFF) ++position;
  while (position < file.size() && file[position] == 0xFF) ++position;
  if (position >= file.size()) throw ImageError(ends_early);
  return position;
}

Segment read_segment(Bytes file, std::size_t marker_at) {
  if (marker_at + 3 > file.size()) throw ImageError(ends_early);
  const std::size_t length = read_u16(file, marker_at + 1);
  const std::size_t end = marker_at + 1 + length;
  if (length < 2) throw ImageError("broken JPEG header");
  if (end > file.size()) throw ImageError(ends_early);
  return {file[marker_at], marker_at - 1, end, file.subspan(marker_at + 3, length - 2)};
}

[[noreturn]] void fail_of_many_segments() {
  throw ImageError("JPEG of more than 10,000 segments is not read", "save it anew");
}

// The header's segments, the first start of scan included.
std::vector<Segment> read_segments(Bytes file) {
  std::vector<Segment> segments;
  std::size_t end = 2;
  while (segments.size() < most_segments) {
    const std::size_t marker_at = find_marker(file, end);
    const std::uint8_t marker = file[marker_at];
    if (marker == start_of_image || marker == end_of_image) throw ImageError("broken JPEG header");
    if (is_standalone(marker)) {
      end = marker_at + 1;
      continue;
    }
    segments.push_back(read_segment(file, marker_at));
    if (marker == start_of_scan) return segments;
    end = segments.back().end;
  }
  fail_of_many_segments();
}

// frame: precision (1 byte), height (2), width (2), components (1)
void check_frame(const Segment& frame, const Admit& admit) {
  if (frame.payload.size() < 6) throw ImageError("broken JPEG header");
  if (is_arithmetic(frame.marker)) {
    throw ImageError("arithmetic-coded JPEG is not read", "save it Huffman-coded");
  }
  if (!is_huffman(frame.marker)) throw ImageError("lossless or hierarchical JPEG is not read");
  const int precision = frame.payload[0];
  const int components = frame.payload[5];
  admit(read_u16(frame.payload, 3), read_u16(frame.payload, 1));
  if (precision != 8 || (components != 1 && components != 3 && components != 4)) {
    throw ImageError("JPEG of " + std::to_string(components) + " components of " +
                     std::to_string(precision) + " bits is not read");
  }
}

const Segment& find_frame(const std::vector<Segment>& segments) {
  const auto frame = [](const Segment& segment) { return is_frame(segment.marker); };
  if (std::count_if(segments.begin(), segments.end(), frame) != 1) {
    throw ImageError("broken JPEG header");
  }
  return *std::find_if(segments.begin(), segments.end(), frame);
}

// Where the code of the next marker is that ends entropy-coded data: no stuffed byte or restart.
std::size_t find_end_of_data(Bytes scans, std::size_t position) {
  for (; position + 1 < scans.size(); ++position) {
    const std::uint8_t code = scans[position + 1];
    if (scans[position] == 0xFF && code >= 0xC0 && code != 0xFF && !is_standalone(code)) {
      return position + 1;
    }
  }
  return scans.size();
}

// begin: behind the last segment, into which nothing is cut.
Bytes without_room(Bytes scans, std::size_t begin) {
  std::size_t size = scans.size();
  while (size > begin && scans[size - 1] == 0) --size;
  if (size > begin && scans[size - 1] == 0xFF && size < scans.size()) ++size;  // a stuffed zero
  return scans.size() - size < never_written ? scans : scans.first(size);
}

// Without what may stand before a marker.
Bytes without_fill(Bytes scans, std::size_t begin) {
  while (scans.size() > begin && scans.back() == 0xFF) scans = scans.first(scans.size() - 1);
  return scans;
}

// What follows the first scan's header.
struct Rest {
  Bytes bytes;                 // of the first picture
  std::vector<Bytes> headers;  // of its other scans
  bool has_end;
};

Rest read_rest(Bytes rest) {
  std::vector<Bytes> headers;
  std::size_t begin = 0;  // of data
  for (std::size_t segment = 0; segment < most_segments; ++segment) {
    const std::size_t at = find_end_of_data(rest, begin);
    if (at >= rest.size()) {
      return {without_fill(without_room(rest, begin), begin), headers, false};
    }
    const std::uint8_t marker = rest[at];
    if (marker == end_of_image || marker == start_of_image) {
      return {without_fill(rest.first(at - 1), begin), headers, marker == end_of_image};
    }
    const std::size_t length = at + 3 > rest.size() ? 2 : read_u16(rest, at + 1);
    const std::size_t end = at + 1 + std::max<std::size_t>(length, 2);
    if (end > rest.size()) throw ImageError(ends_early);
    if (marker == start_of_scan) headers.push_back(rest.subspan(at + 3, end - at - 3));
    begin = end;
  }
  fail_of_many_segments();
}

std::vector<Bytes> headers_of(const Segment& first, const Rest& rest) {
  std::vector<Bytes> headers{first.payload};
  headers.insert(headers.end(), rest.headers.begin(), rest.headers.end());
  return headers;
}

int find_orientation(const std::vector<Segment>& segments) {
  using namespace std::string_view_literals;
  for (const Segment& segment : segments) {
    if (segment.marker == exif_segment && starts_with(segment.payload, "Exif\0\0"sv)) {
      return read_orientation(segment.payload.subspan(6));
    }
  }
  return 1;
}

}  // namespace

JpegStream read_jpeg_header(Bytes file, const Admit& admit) {
  const std::vector<Segment> segments = read_segments(file);
  const Segment& frame = find_frame(segments);
  check_frame(frame, admit);
  const Rest rest = read_rest(file.subspan(segments.back().end));
  check_scans(frame.payload, headers_of(segments.back(), rest), frame.marker == progressive_frame);
  JpegStream stream{{file[0], file[1]}, find_orientation(segments), rest.has_end};
  const auto append = [&](Bytes part) {
    stream.bytes.insert(stream.bytes.end(), part.begin(), part.end());
  };
  for (const Segment& segment : segments) {
    if (!is_metadata(segment.marker)) {
      append(file.subspan(segment.start, segment.end - segment.start));
    }
  }
  append(rest.bytes);
  return stream;
}

}  // namespace mpm

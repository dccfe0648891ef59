#include "images/formats/png.hpp"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <exception>

#include "images/formats/png_chunks.hpp"
#include "images/formats/png_rows.hpp"

namespace mpm {

namespace {

// A PNG file with nothing but rows, which are not packed; made while it is read.
//
//   signature | IHDR, (PLTE) | IDAT, one for each piece of the rows .. | IEND
class PngSource {
 public:
  explicit PngSource(const PngChunks& png) : rows_(png.packed, png.stored_size()) {
    append({signature, sizeof signature});
    append_chunk("IHDR", {}, png.header);
    if (png.has_palette()) append_chunk("PLTE", {}, {png.palette[0].data(), 3u << png.depth});
    append_chunk("IDAT", {}, zlib_header);
  }

  // Throws ImageError, as PngRows does.
  void read(png_bytep target, std::size_t count) {
    while (ready_.size() - position_ < count) append_rows();
    std::memcpy(target, ready_.data() + position_, count);
    position_ += count;
  }

 private:
  static constexpr std::uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  static constexpr std::uint8_t zlib_header[] = {0x78, 0x01};
  static constexpr std::uint8_t last_block[] = {1, 0, 0, 0xFF, 0xFF};
  static constexpr std::uint8_t no_checksum[] = {0, 0, 0, 0};  // libpng is asked to look at none

  // Rows become a stored block: whether it is the last one, its size, and that inverted.
  void append_rows() {
    const Bytes rows = rows_.next();
    ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(position_));
    position_ = 0;
    if (rows.empty()) {
      append_chunk("IDAT", last_block, no_checksum);
      append_chunk("IEND", {}, {});
    } else {
      const auto low = static_cast<std::uint8_t>(rows.size());
      const auto high = static_cast<std::uint8_t>(rows.size() >> 8);
      const std::uint8_t block[] = {0, low, high, static_cast<std::uint8_t>(~low),
                                    static_cast<std::uint8_t>(~high)};
      append_chunk("IDAT", block, rows);
    }
  }

  void append_chunk(const char* name, Bytes front, Bytes data) {
    const std::size_t size = front.size() + data.size();
    for (int shift = 24; shift >= 0; shift -= 8) {
      ready_.push_back(static_cast<std::uint8_t>(size >> shift));
    }
    append({reinterpret_cast<const std::uint8_t*>(name), 4});
    append(front);
    append(data);
    append(no_checksum);
  }

  void append(Bytes bytes) {
    const std::size_t begin = ready_.size();
    ready_.resize(begin + bytes.size());
    std::copy(bytes.begin(), bytes.end(), ready_.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  PngRows rows_;
  std::vector<std::uint8_t> ready_;
  std::size_t position_ = 0;  // in what is ready
};

struct Reading {
  explicit Reading(const PngChunks& png) : source(png) {}

  PngSource source;
  std::exception_ptr failure;
};

void on_read(png_structp png, png_bytep target, std::size_t count) {
  auto& reading = *static_cast<Reading*>(png_get_io_ptr(png));
  try {
    reading.source.read(target, count);
  } catch (...) {  // not understood here, only carried over
    reading.failure = std::current_exception();
  }
  if (reading.failure) png_error(png, "the source failed");
}

[[noreturn]] void on_error(png_structp png, png_const_charp) { png_longjmp(png, 1); }
void on_warning(png_structp, png_const_charp) {}

// libpng reports a fatal error by a jump. No C++ object with a destructor lives in a frame that is
// jumped over.
class PngDecoder {
 public:
  explicit PngDecoder(const PngChunks& png)
      : reading_{png},
        png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, on_error, on_warning)),
        info_(png_ == nullptr ? nullptr : png_create_info_struct(png_)) {
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
  }
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  // RGB (height, width, 3), or indices (height, width) for a palette.
  std::vector<std::uint8_t> decode(bool keep_indices) {
    const std::size_t stride = prepare(keep_indices);
    const std::size_t height = png_get_image_height(png_, info_);
    std::vector<std::uint8_t> samples(stride * height);
    std::vector<png_bytep> rows(height);
    for (std::size_t row = 0; row < height; ++row) rows[row] = samples.data() + stride * row;
    read_rows(rows.data());
    return samples;
  }

 private:
  [[noreturn]] void fail() const {
    if (reading_.failure) std::rethrow_exception(reading_.failure);
    throw ImageError(broken_data);
  }

  // Asks for 8-bit samples without alpha; gives the bytes of a row.
  std::size_t prepare(bool keep_indices) {
    if (setjmp(png_jmpbuf(png_)) != 0) fail();
    png_set_read_fn(png_, &reading_, on_read);
    png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    png_set_option(png_, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size was asked already
    png_read_info(png_, info_);
    if (keep_indices) {
      png_set_packing(png_);
    } else {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_strip_16(png_);
      png_set_strip_alpha(png_);
      png_set_gray_to_rgb(png_);
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return png_get_rowbytes(png_, info_);
  }

  void read_rows(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) fail();
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
  }

  Reading reading_;
  png_structp png_;
  png_infop info_;
};

std::vector<std::uint8_t> expand_palette(const std::vector<std::uint8_t>& indices,
                                         const PngChunks& png) {
  std::vector<std::uint8_t> pixels(3 * indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    std::copy_n(png.palette[indices[i]].begin(), 3, pixels.begin() + static_cast<long>(3 * i));
  }
  return pixels;
}

}  // namespace

bool is_png(Bytes file) { return starts_with(file, "\x89PNG\r\n\x1a\n"); }

Raster read_png(Bytes file, const Admit& admit) {
  const PngChunks png = read_png_chunks(file, admit);
  std::vector<std::uint8_t> samples = PngDecoder(png).decode(png.has_palette());
  if (png.has_palette()) samples = expand_palette(samples, png);
  return {{png.size, std::move(samples)}, png.orientation};
}

}  // namespace mpm

#include "images/formats/png.hpp"

#include <png.h>

#include <algorithm>
#include <csetjmp>

#include "images/formats/png_chunks.hpp"

namespace mpm {

namespace {

struct Source {
  Bytes rest;
  bool ended_early = false;
};

void on_read(png_structp png, png_bytep target, std::size_t count) {
  auto& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (source.rest.size() < count) {
    source.ended_early = true;
    png_error(png, "end of data");
  }
  std::memcpy(target, source.rest.data(), count);
  source.rest = source.rest.subspan(count);
}

[[noreturn]] void on_error(png_structp png, png_const_charp) { png_longjmp(png, 1); }

// Data after the pixels is passed over; a checksum of the pixels that does not hold is not.
void on_warning(png_structp png, png_const_charp message) {
  if (std::string_view(message).find("incorrect data check") != std::string_view::npos) {
    png_error(png, message);
  }
}

// libpng reports a fatal error by a jump. No C++ object with a destructor lives in a frame that is
// jumped over.
class PngDecoder {
 public:
  explicit PngDecoder(Bytes bytes)
      : source_{bytes},
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
    throw ImageError(source_.ended_early ? ends_early : "broken image data");
  }

  // Asks for 8-bit samples without alpha; gives the bytes of a row.
  std::size_t prepare(bool keep_indices) {
    if (setjmp(png_jmpbuf(png_)) != 0) fail();
    png_set_read_fn(png_, &source_, on_read);
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

  Source source_;
  png_structp png_;
  png_infop info_;
};

std::vector<std::uint8_t> expand_palette(const std::vector<std::uint8_t>& indices,
                                         const PngStream& png) {
  std::vector<std::uint8_t> pixels(3 * indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    std::copy_n(png.palette[indices[i]].begin(), 3, pixels.begin() + static_cast<long>(3 * i));
  }
  return pixels;
}

}  // namespace

bool is_png(Bytes file) { return starts_with(file, "\x89PNG\r\n\x1a\n"); }

Raster read_png(Bytes file) {
  const PngStream png = read_png_chunks(file);
  const bool has_palette = png.color_type == PngStream::palette_type;
  std::vector<std::uint8_t> samples = PngDecoder(png.bytes).decode(has_palette);
  if (has_palette) samples = expand_palette(samples, png);
  return {{png.size, std::move(samples)}, png.orientation};
}

}  // namespace mpm

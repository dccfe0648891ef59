#include "images/formats/jpeg.hpp"

#include <cstdio>  // jpeglib.h needs it before

#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <new>

#include "images/formats/jpeg_header.hpp"

namespace mpm {

namespace {

// libjpeg reports a fatal error through a function that must not return; jumping out of C is the
// way its manual names. No C++ object with a destructor lives in a frame that is jumped over.
struct ErrorHandler {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  bool ended_early;
};

[[noreturn]] void on_error(j_common_ptr info) {
  std::longjmp(reinterpret_cast<ErrorHandler*>(info->err)->jump, 1);
}

void on_message(j_common_ptr) {}

// libjpeg's own memory source makes up an end of image where the file ends early.
boolean on_end_of_data(j_decompress_ptr info) {
  reinterpret_cast<ErrorHandler*>(info->err)->ended_early = true;
  on_error(reinterpret_cast<j_common_ptr>(info));
}

// R = (C' K' + 127) / 255 with C', K' as stored: Adobe stores ink inverted, which is light.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, JDIMENSION width) {
  for (JDIMENSION i = 0; i < width; ++i) {
    for (int channel = 0; channel < 3; ++channel) {
      rgb[3 * i + channel] =
          static_cast<std::uint8_t>((cmyk[4 * i + channel] * cmyk[4 * i + 3] + 127) / 255);
    }
  }
}

void gray_to_rgb(const std::uint8_t* gray, std::uint8_t* rgb, JDIMENSION width) {
  for (JDIMENSION i = 0; i < width; ++i) rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = gray[i];
}

J_COLOR_SPACE output_space(int components) {
  return components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
}

class JpegDecoder {
 public:
  explicit JpegDecoder(const std::vector<std::uint8_t>& bytes) {
    info_.err = jpeg_std_error(&error_.base);
    error_.base.error_exit = on_error;
    error_.base.output_message = on_message;
    error_.ended_early = false;
    if (setjmp(error_.jump) == 0) {
      jpeg_create_decompress(&info_);
      jpeg_mem_src(&info_, bytes.data(), bytes.size());
      info_.src->fill_input_buffer = on_end_of_data;
    } else {
      fail();
    }
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  Image decode() {
    read_header();
    Image image{{static_cast<int>(info_.image_height), static_cast<int>(info_.image_width)}, {}};
    image.pixels.resize(rgb_bytes(image.size));
    std::vector<std::uint8_t> row(std::size_t{info_.image_width} * 4);
    read_rows(row.data(), image.pixels.data());
    return image;
  }

 private:
  [[noreturn]] void fail() const {
    if (error_.base.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    throw ImageError(error_.ended_early ? ends_early : broken_data);
  }

  void read_header() {
    if (setjmp(error_.jump) != 0) fail();
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = output_space(info_.num_components);
  }

  void read_rows(std::uint8_t* row, std::uint8_t* pixels) {
    if (setjmp(error_.jump) != 0) fail();
    jpeg_start_decompress(&info_);
    const std::size_t stride = std::size_t{info_.image_width} * 3;
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* target = pixels + stride * info_.output_scanline;
      JSAMPROW rows[] = {info_.out_color_space == JCS_RGB ? target : row};
      jpeg_read_scanlines(&info_, rows, 1);
      if (info_.out_color_space == JCS_GRAYSCALE) gray_to_rgb(row, target, info_.image_width);
      if (info_.out_color_space == JCS_CMYK) cmyk_to_rgb(row, target, info_.image_width);
    }
    jpeg_finish_decompress(&info_);  // reads on to the end of the image, which must be there
  }

  jpeg_decompress_struct info_{};
  ErrorHandler error_{};
};

// Decodes as if other bytes, and then the end of the image, followed.
Image decode_before(std::vector<std::uint8_t> stream, const std::vector<std::uint8_t>& other) {
  stream.insert(stream.end(), other.begin(), other.end());
  stream.insert(stream.end(), {0xFF, 0xD9});
  return JpegDecoder(stream).decode();
}

// What might follow the data: noise, and some behind a restart marker.
std::vector<std::uint8_t> make_other_data(std::uint8_t restart, int factor) {
  std::vector<std::uint8_t> noise;
  for (int i = 1; i <= 64; ++i) noise.push_back(static_cast<std::uint8_t>(factor * i % 254));
  std::vector<std::uint8_t> data = noise;
  data.insert(data.end(), {0xFF, restart});
  data.insert(data.end(), noise.begin(), noise.end());
  return data;
}

// Where data is missing libjpeg makes some up. But a whole picture stays as it is, whatever follows
// its data. Each of the eight restart markers that may be due goes on at one of these three.
bool is_whole(const Image& image, const std::vector<std::uint8_t>& stream) {
  const auto is_kept_before = [&](const std::vector<std::uint8_t>& other) {
    return decode_before(stream, other).pixels == image.pixels;
  };
  return is_kept_before(make_other_data(0xD0, 151)) && is_kept_before(make_other_data(0xD3, 189)) &&
         is_kept_before(make_other_data(0xD6, 253));
}

// Whether the last pixel may be what libjpeg gives for a block that is missing: its samples are all
// 128, which of CMYK makes 64.
bool is_made_up(const Image& image) {
  const auto last = image.pixels.end() - 3;
  return (last[0] == 128 || last[0] == 64) && last[1] == last[0] && last[2] == last[0];
}

}  // namespace

bool is_jpeg(Bytes file) { return starts_with(file, "\xff\xd8\xff"); }

// There is doubt without an end of image, and where the last pixel may be made up: before an end of
// image a cut within the last block or line is not seen, nor one within the last scan of a
// progressive picture, which then is a little coarser.
Raster read_jpeg(Bytes file, const Admit& admit) {
  const JpegStream stream = read_jpeg_header(file, admit);
  Image image = decode_before(stream.bytes, {});
  if ((!stream.has_end || is_made_up(image)) && !is_whole(image, stream.bytes)) {
    throw ImageError(ends_early);
  }
  return {std::move(image), stream.orientation};
}

}  // namespace mpm

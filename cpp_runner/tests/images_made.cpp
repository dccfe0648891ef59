#include "images_made.hpp"

#include <cstdio>  // jpeglib.h needs it before

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include <cstdlib>
#include <string>

namespace mpm::tests {

namespace {

void append(FileBytes& bytes, const FileBytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

FileBytes big_endian(std::uint32_t number) {
  FileBytes bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back((number >> shift) & 255);
  return bytes;
}

FileBytes number_of(std::uint32_t value, int size, bool is_big_endian) {
  FileBytes bytes;
  for (int i = 0; i < size; ++i) {
    const int shift = 8 * (is_big_endian ? size - 1 - i : i);
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
  return bytes;
}

struct JpegSamples {
  Size size;
  int components;
  J_COLOR_SPACE space;
  const std::uint8_t* data;
};

FileBytes compress(const JpegSamples& samples, const JpegStyle& style) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(samples.size.width);
  info.image_height = static_cast<JDIMENSION>(samples.size.height);
  info.input_components = samples.components;
  info.in_color_space = samples.space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, style.quality, TRUE);
  if (style.gray) jpeg_set_colorspace(&info, JCS_GRAYSCALE);
  if (style.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (style.orientation != 1) {
    FileBytes exif{'E', 'x', 'i', 'f', 0, 0};
    append(exif, make_exif(style.orientation));
    jpeg_write_marker(&info, JPEG_APP0 + 1, exif.data(), static_cast<unsigned>(exif.size()));
  }
  const auto stride = static_cast<std::size_t>(samples.size.width * samples.components);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(samples.data + stride * info.next_scanline);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  FileBytes bytes(buffer, buffer + size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

void write_to_vector(png_structp png, png_bytep data, std::size_t size) {
  auto& bytes = *static_cast<FileBytes*>(png_get_io_ptr(png));
  bytes.insert(bytes.end(), data, data + size);
}

void set_palette(png_structp png, png_infop info, const FileBytes& palette) {
  std::vector<png_color> colors;
  for (std::size_t i = 0; i + 2 < palette.size(); i += 3) {
    colors.push_back({palette[i], palette[i + 1], palette[i + 2]});
  }
  if (!colors.empty()) png_set_PLTE(png, info, colors.data(), static_cast<int>(colors.size()));
}

}  // namespace

Image make_scene(Size size) {
  Image image{size, {}};
  for (int row = 0; row < size.height; ++row) {
    for (int column = 0; column < size.width; ++column) {
      const bool is_right = column > size.width / 3;
      image.pixels.push_back(static_cast<std::uint8_t>(255 * row / size.height));
      image.pixels.push_back(static_cast<std::uint8_t>(255 * column / size.width));
      image.pixels.push_back(static_cast<std::uint8_t>(is_right ? 200 : 40));
    }
  }
  return image;
}

FileBytes encode_jpeg(const Image& image, const JpegStyle& style) {
  return compress({image.size, 3, JCS_RGB, image.pixels.data()}, style);
}

FileBytes encode_cmyk_jpeg(Size size, const std::vector<std::uint8_t>& samples) {
  return compress({size, 4, JCS_CMYK, samples.data()}, {.quality = 100});
}

FileBytes encode_png(Size size, const FileBytes& rows, const PngStyle& style) {
  FileBytes bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, write_to_vector, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(size.width),
               static_cast<png_uint_32>(size.height), style.depth, style.color_type,
               style.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
  set_palette(png, info, style.palette);
  // Files name colors that they lack, and so may a test: newer versions of libpng refuse it.
  png_set_check_for_invalid_index(png, 0);
  png_write_info(png, info);
  const std::size_t stride = rows.size() / static_cast<std::size_t>(size.height);
  std::vector<png_bytep> pointers;
  for (int row = 0; row < size.height; ++row) {
    pointers.push_back(const_cast<png_bytep>(rows.data() + stride * static_cast<std::size_t>(row)));
  }
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

FileBytes make_exif(int orientation, bool is_big_endian) {
  FileBytes bytes = is_big_endian ? FileBytes{'M', 'M', 0, 42} : FileBytes{'I', 'I', 42, 0};
  const auto add = [&](int value, int size) {
    append(bytes, number_of(static_cast<std::uint32_t>(value), size, is_big_endian));
  };
  add(8, 4);            // the directory begins
  add(1, 2);            // entries
  add(0x0112, 2);       // orientation
  add(3, 2);            // short
  add(1, 4);            // one
  add(orientation, 2);  // value
  add(0, 2);
  add(0, 4);  // no further directory
  return bytes;
}

FileBytes make_chunk(const std::string& name, const FileBytes& data) {
  FileBytes bytes = big_endian(static_cast<std::uint32_t>(data.size()));
  bytes.insert(bytes.end(), name.begin(), name.end());
  append(bytes, data);
  const auto checksum = crc32(0, bytes.data() + 4, static_cast<uInt>(bytes.size() - 4));
  append(bytes, big_endian(static_cast<std::uint32_t>(checksum)));
  return bytes;
}

}  // namespace mpm::tests

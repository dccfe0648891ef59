#include <cerrno>
#include <fstream>
#include <iterator>

#include "images/decode.hpp"
#include "images/formats/jpeg.hpp"
#include "images/formats/orientation.hpp"
#include "images/formats/png.hpp"
#include "support/refusal.hpp"

namespace mpm {

namespace {

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code status;
  if (std::filesystem::is_directory(path, status))
    throw refusal<ImageError>("cannot be read", EISDIR);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw refusal<ImageError>("cannot be read", errno);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw refusal<ImageError>("cannot be read", errno);
  return bytes;
}

Admit up_to(std::int64_t max_pixels) {
  return [max_pixels](std::uint64_t width, std::uint64_t height) {
    check_size(width, height, static_cast<std::uint64_t>(max_pixels));
  };
}

}  // namespace

Image decode_admitted(std::span<const std::uint8_t> file_bytes, const Admit& admit) {
  if (file_bytes.empty()) throw ImageError("the file is empty");
  if (is_jpeg(file_bytes)) return turn_upright(read_jpeg(file_bytes, admit));
  if (is_png(file_bytes)) return turn_upright(read_png(file_bytes, admit));
  throw ImageError("not a JPEG or PNG file");
}

Image decode_admitted(const std::filesystem::path& file, const Admit& admit) {
  try {
    return decode_admitted(read_file(file), admit);
  } catch (const ImageError& error) {
    throw ImageError(file.string() + ": " + error.problem(), error.hint());
  }
}

Image decode(std::span<const std::uint8_t> file_bytes, std::int64_t max_pixels) {
  return decode_admitted(file_bytes, up_to(max_pixels));
}

Image decode(const std::filesystem::path& file, std::int64_t max_pixels) {
  return decode_admitted(file, up_to(max_pixels));
}

}  // namespace mpm

#include <cerrno>
#include <fstream>
#include <iterator>

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

}  // namespace

Image decode(std::span<const std::uint8_t> file_bytes, std::int64_t max_pixels) {
  const auto most = static_cast<std::uint64_t>(max_pixels);
  if (file_bytes.empty()) throw ImageError("the file is empty");
  if (is_jpeg(file_bytes)) return turn_upright(read_jpeg(file_bytes, most));
  if (is_png(file_bytes)) return turn_upright(read_png(file_bytes, most));
  throw ImageError("not a JPEG or PNG file");
}

Image decode(const std::filesystem::path& file, std::int64_t max_pixels) {
  try {
    return decode(read_file(file), max_pixels);
  } catch (const ImageError& error) {
    throw ImageError(file.string() + ": " + error.problem(), error.hint());
  }
}

}  // namespace mpm

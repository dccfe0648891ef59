#include <fstream>
#include <iterator>

#include "images/formats/jpeg.hpp"
#include "images/formats/orientation.hpp"
#include "images/formats/png.hpp"

namespace mpm {

namespace {

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code status;
  if (std::filesystem::is_directory(path, status))
    throw ImageError("cannot be read: Is a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ImageError(std::string("cannot be read: ") + std::strerror(errno));
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw ImageError("cannot be read");
  return bytes;
}

}  // namespace

Image decode(std::span<const std::uint8_t> file_bytes) {
  if (file_bytes.empty()) throw ImageError("the file is empty");
  if (is_jpeg(file_bytes)) return turn_upright(read_jpeg(file_bytes));
  if (is_png(file_bytes)) return turn_upright(read_png(file_bytes));
  throw ImageError("not a JPEG or PNG file");
}

Image decode(const std::filesystem::path& file) {
  try {
    return decode(read_file(file));
  } catch (const ImageError& error) {
    throw ImageError(file.string() + ": " + error.problem(), error.hint());
  }
}

}  // namespace mpm

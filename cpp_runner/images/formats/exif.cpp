#include "images/formats/exif.hpp"

#include <optional>

#include "images/formats/bytes.hpp"

namespace mpm {

namespace {

constexpr std::uint32_t orientation_tag = 0x0112;
constexpr std::uint32_t short_type = 3;

// Numbers in the block's own byte order; nothing past its end.
class TiffReader {
 public:
  TiffReader(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = value << 8 | bytes_[at + (big_endian_ ? i : size - 1 - i)];
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool big_endian_;
};

// entry: tag (2 bytes), type (2), count (4), value (4, a short in its first 2)
int entry_orientation(const TiffReader& tiff, std::size_t entry) {
  const bool is_short = tiff.number(entry + 2, 2) == short_type && tiff.number(entry + 4, 4) == 1u;
  const std::uint32_t value = tiff.number(entry + 8, 2).value_or(0);
  return is_short && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

}  // namespace

int read_orientation(Bytes bytes) {
  using namespace std::string_view_literals;
  const bool big_endian = starts_with(bytes, "MM\0*"sv);
  if (!big_endian && !starts_with(bytes, "II*\0"sv)) return 1;
  const TiffReader tiff(bytes, big_endian);
  const auto directory = tiff.number(4, 4);
  if (!directory) return 1;
  const std::uint32_t entries = tiff.number(*directory, 2).value_or(0);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + 12 * std::size_t{i};
    if (!tiff.number(entry + 8, 4)) return 1;  // cut off: as if there were no tag
    if (tiff.number(entry, 2) == orientation_tag) return entry_orientation(tiff, entry);
  }
  return 1;
}

}  // namespace mpm

#include "support/utf8.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace mpm {

namespace {

// How many bytes the character has that a text begins with; 0: it is none.
std::size_t length_of_first(std::string_view text) {
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0xc0 || lead > 0xf7 || text.size() < length) return 0;
  std::uint32_t character = lead & (0x7fU >> length);
  for (const char each : text.substr(1, length - 1)) {
    const auto byte = static_cast<std::uint8_t>(each);
    if ((byte & 0xc0) != 0x80) return 0;
    character = character << 6 | (byte & 0x3f);
  }
  const bool is_surrogate = character >= 0xd800 && character < 0xe000;
  return character < smallest[length] || character > 0x10ffff || is_surrogate ? 0 : length;
}

}  // namespace

std::string escaped(std::string_view bytes, std::string_view mark) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = length_of_first(bytes);
    if (length == 0) {
      const auto byte = static_cast<std::uint8_t>(bytes[0]);
      text.append(mark).append({digits[byte >> 4], digits[byte & 15]});
    }
    text.append(bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

}  // namespace mpm

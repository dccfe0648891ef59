#include "support/utf8.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace mpm {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

struct Character {
  std::uint32_t code;
  std::size_t length;  // bytes; 0: it is none
};

// The character that a text begins with.
Character first_of(std::string_view text) {
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0xc0 || lead > 0xf7 || text.size() < length) return {};
  std::uint32_t character = lead & (0x7fU >> length);
  for (const char each : text.substr(1, length - 1)) {
    const auto byte = static_cast<std::uint8_t>(each);
    if ((byte & 0xc0) != 0x80) return {};
    character = character << 6 | (byte & 0x3f);
  }
  const bool is_surrogate = character >= 0xd800 && character < 0xe000;
  if (character < smallest[length] || character > 0x10ffff || is_surrogate) return {};
  return {character, length};
}

// What a terminal obeys: control characters, and those that turn the direction of what follows.
bool is_obeyed(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::string escape_of(std::uint32_t code) {
  std::string text = code < 0x100 ? "\\x" : "\\u";
  for (int shift = code < 0x100 ? 4 : 12; shift >= 0; shift -= 4)
    text += digits[code >> shift & 15];
  return text;
}

}  // namespace

std::string escaped(std::string_view bytes, std::string_view mark) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = first_of(bytes).length;
    if (length == 0) {
      const auto byte = static_cast<std::uint8_t>(bytes[0]);
      text.append(mark).append({digits[byte >> 4], digits[byte & 15]});
    }
    text.append(bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

std::u32string characters_of(std::string_view bytes) {
  std::u32string text;
  while (!bytes.empty()) {
    const auto [code, length] = first_of(bytes);
    const auto byte = static_cast<std::uint8_t>(bytes[0]);
    text += length == 0 ? 0xdc00U + byte : code;
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

std::string printable(std::string_view bytes, std::string_view kept) {
  std::string text = escaped(bytes);
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_of(std::string_view(text).substr(at));
    const bool is_kept = !is_obeyed(character.code) || kept.find(text[at]) != kept.npos;
    const std::string escape = is_kept ? "" : escape_of(character.code);
    if (!is_kept) text.replace(at, character.length, escape);
    at += is_kept ? character.length : escape.size();
  }
  return text;
}

}  // namespace mpm

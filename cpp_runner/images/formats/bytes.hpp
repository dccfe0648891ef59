#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace mpm {

using Bytes = std::span<const std::uint8_t>;

inline bool starts_with(Bytes bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() &&
         std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

// Big-endian numbers; the caller has checked that the bytes are there.
inline std::uint32_t read_u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]);
}

inline std::uint32_t read_u32(Bytes bytes, std::size_t at) {
  return read_u16(bytes, at) << 16 | read_u16(bytes, at + 2);
}

}  // namespace mpm

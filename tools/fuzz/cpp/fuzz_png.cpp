#include <zlib.h>

#include "image_target.hpp"
#include "repairing_mutator.hpp"

// chunk: length (4 bytes), name (4), data, checksum (4)
void mpm::fuzz::repair_checksums(std::span<std::uint8_t> file) {
  constexpr std::size_t signature_size = 8;
  for (std::size_t at = signature_size; at + 12 <= file.size();) {
    const std::size_t length = mpm::read_u32(file, at);
    if (length > file.size() - at - 12) return;
    const std::size_t end = at + 8 + length;
    const auto checksum = crc32(0, file.data() + at + 4, static_cast<uInt>(length + 4));
    for (int i = 0; i < 4; ++i) {
      file[end + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(checksum >> (24 - 8 * i));
    }
    at = end + 4;
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mpm::fuzz::decode_or_refuse({data, size});
  return 0;
}

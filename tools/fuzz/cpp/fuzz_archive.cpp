#include "artifact/archive.hpp"

#include <zlib.h>

#include "memory_file.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "repairing_mutator.hpp"

namespace {

using MutableBytes = std::span<std::uint8_t>;

std::size_t read_number(MutableBytes file, std::size_t at, int size) {
  std::size_t number = 0;
  for (int i = 0; i < size; ++i)
    number |= std::size_t{file[at + static_cast<std::size_t>(i)]} << 8 * i;
  return number;
}

void write_checksum(MutableBytes file, std::size_t at, unsigned long checksum) {
  for (int i = 0; i < 4; ++i) {
    file[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(checksum >> 8 * i);
  }
}

bool has(MutableBytes file, std::size_t at, std::string_view magic, std::size_t size) {
  return at <= file.size() && size <= file.size() - at &&
         std::equal(magic.begin(), magic.end(), file.begin() + static_cast<long>(at));
}

// Makes the checksum of a stored record true.
// directory entry: "PK\1\2", .. method at 10, checksum at 16, size at 20, header's place at 42
// header: "PK\3\4", .. checksum at 14, length of name at 26, length of more at 28, both, bytes
void repair_checksum(MutableBytes file, std::size_t entry) {
  const std::size_t size = read_number(file, entry + 20, 4);
  const std::size_t header = read_number(file, entry + 42, 4);
  if (read_number(file, entry + 10, 2) != 0 || !has(file, header, "PK\3\4", 30)) return;
  const std::size_t start =
      header + 30 + read_number(file, header + 26, 2) + read_number(file, header + 28, 2);
  if (start > file.size() || size > file.size() - start) return;
  const auto checksum = crc32(0, file.data() + start, static_cast<uInt>(size));
  write_checksum(file, header + 14, checksum);
  write_checksum(file, entry + 16, checksum);
}

}  // namespace

void mpm::fuzz::repair_checksums(MutableBytes file) {
  for (std::size_t at = 0; at + 46 <= file.size(); ++at) {
    if (has(file, at, "PK\1\2", 46)) repair_checksum(file, at);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static mpm::fuzz::MemoryFile file;
  file.write({data, size});
  try {
    mpm::Archive(file.path()).payload_sha256();  // also where there is no manifest
    mpm::read_manifest(file.path());
  } catch (const mpm::ArtifactError&) {
  }
  return 0;
}

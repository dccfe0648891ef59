#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>

namespace mpm::fuzz {

using Bytes = std::span<const std::uint8_t>;

// A file in memory, for readers that want a path; it is gone with the process, however that ends.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) { check(descriptor_ >= 0); }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

  // Puts these bytes in place of what the file held.
  void write(Bytes bytes) {
    check(ftruncate(descriptor_, 0) == 0);
    check(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }

 private:
  static void check(bool done) {
    if (!done) throw std::system_error(errno, std::generic_category(), "a file in memory");
  }

  int descriptor_;
};

}  // namespace mpm::fuzz

#include "backends/stored_weights.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <ios>
#include <optional>
#include <sstream>
#include <string>

namespace mpm {

namespace {

// Which byte of a file is mapped at an address, if one is (proc(5), /proc/pid/maps).
std::optional<std::uintptr_t> place_in_file(ino_t file, std::uintptr_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t first = 0, last = 0, offset = 0;
    std::string permissions, device;
    ino_t inode = 0;
    char dash = 0;
    words >> std::hex >> first >> dash >> last >> permissions >> offset >> device;
    words >> std::dec >> inode;
    if (inode == file && first <= address && address < last) return offset + address - first;
  }
  return {};
}

}  // namespace

void free_stored_weights(const std::filesystem::path& library) {
  void* const opened = dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (opened == nullptr) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(dlsym(opened, "_binary_constants_bin_start"));
  const auto end = reinterpret_cast<std::uintptr_t>(dlsym(opened, "_binary_constants_bin_end"));
  dlclose(opened);  // one of two
  struct stat status{};
  if (begin == 0 || end <= begin || stat(library.c_str(), &status) != 0) return;
  const auto place = place_in_file(status.st_ino, begin);
  if (!place) return;
  const int file = open(library.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(*place),
            static_cast<off_t>(end - begin));
  close(file);
}

}  // namespace mpm

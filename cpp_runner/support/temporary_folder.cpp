#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

namespace fs = std::filesystem;

// As torch looks for it.
fs::path temporary_folder() {
  for (const char* name : {"TMPDIR", "TMP", "TEMP", "TEMPDIR"}) {
    if (const char* folder = std::getenv(name); folder != nullptr && *folder != '\0') return folder;
  }
  return "/tmp";
}

bool code_runs(int file) {
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (ftruncate(file, static_cast<off_t>(size)) != 0) return false;
  void* code = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  if (code == MAP_FAILED) return false;
  munmap(code, size);
  return true;
}

// Empty: it will do.
std::string fault(const fs::path& folder, std::uintmax_t room) {
  std::error_code error;
  const std::uintmax_t free = fs::space(folder, error).available;
  if (error) return error.message();
  if (free < room) {
    return std::to_string(free >> 20) + " MiB free, and " +
           std::to_string((room + (1 << 20) - 1) >> 20) + " are needed";
  }
  std::string name = folder / "mpm_XXXXXX";
  const int file = mkstemp(name.data());
  if (file < 0) return std::strerror(errno);
  unlink(name.c_str());
  const bool runs = code_runs(file);
  close(file);
  return runs ? "" : "mounted so that no code runs from it (noexec)";
}

}  // namespace

void check_temporary_folder(std::uintmax_t room) {
  const fs::path folder = temporary_folder();
  const std::string problem = fault(folder, room);
  if (problem.empty()) return;
  throw HostError("temporary folder " + folder.string() + ": " + problem,
                  "name a folder with room, from which code may run: TMPDIR=/var/tmp, or one of "
                  "your own");
}

}  // namespace mpm

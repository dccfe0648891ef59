#pragma once

#include <cstdint>
#include <filesystem>

namespace mpm {

// A new folder, which goes with all that is in it when this does.
//
// It is locked by the process that made it for as long as that lives: one that nobody holds is a
// killed process's, and the next process that makes a folder beside it removes it.
// `mpm_deploy/support/temporary_folder.py` says the same.
class TemporaryFolder {
 public:
  // parent: where to make it. Throws std::filesystem::filesystem_error.
  explicit TemporaryFolder(const std::filesystem::path& parent);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path path;

 private:
  int lock_ = -1;
};

// The folder that TMPDIR names, or /tmp.
std::filesystem::path for_temporary_files();

// Whether the limit of a file's size (ulimit -f) lets one have so many bytes. Writing past it ends
// a program that does not ignore SIGXFSZ.
bool may_write(std::uintmax_t size);

// Refuses a folder for temporary files, where machine code is unpacked and run, that has not so
// many bytes of room or may not have them in a file, cannot be written to, or from which no code
// may run. Throws HostError.
void check_temporary_folder(std::uintmax_t room);

}  // namespace mpm

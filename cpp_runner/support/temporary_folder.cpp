#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <regex>
#include <set>
#include <string>

#include "mpm_runner/error.hpp"
#include "support/refusal.hpp"

namespace mpm {

namespace {

namespace fs = std::filesystem;

constexpr auto cure =
    "name a folder with room, from which code may run: TMPDIR=/var/tmp, or one of your own";

std::string new_name() {
  std::random_device random;
  char name[22];
  std::snprintf(name, sizeof name, ".mpm-%08x%08x", random(), random());
  return name;
}

int open_folder(const fs::path& folder) {
  return open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// Removes what a killed process left; what cannot be locked is in use.
void remove_if_left(const fs::path& folder) {
  struct stat status{};
  if (lstat(folder.c_str(), &status) != 0 || status.st_uid != geteuid()) return;
  const int lock = open_folder(folder);
  if (lock < 0) return;
  std::error_code ignored;
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) fs::remove_all(folder, ignored);
  close(lock);
}

// Once a process, since a folder may hold much.
void sweep(const fs::path& parent) {
  static std::mutex mutex;
  static std::set<fs::path> swept;
  const std::lock_guard guard(mutex);
  std::error_code error;
  if (!swept.insert(fs::absolute(parent, error)).second) return;
  static const std::regex of_ours("\\.mpm-[0-9a-f]{16}");
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    if (std::regex_match(entry->path().filename().string(), of_ours)) {
      remove_if_left(entry->path());
    }
  }
}

bool code_runs(int file, std::size_t size) {
  void* code = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  if (code == MAP_FAILED) return false;
  munmap(code, size);
  return true;
}

// what: the folder, for the error.
void check_code_runs(const fs::path& folder, const std::string& what) {
  std::string name = folder / "mpm_XXXXXX";
  const int file = mkstemp(name.data());
  if (file < 0) throw refusal<HostError>(what, errno, cure);
  unlink(name.c_str());
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const int number = ftruncate(file, static_cast<off_t>(size)) == 0 ? 0 : errno;
  const bool runs = number == 0 && code_runs(file, size);
  close(file);
  if (number != 0) throw refusal<HostError>(what, number, cure);
  if (!runs) throw HostError(what + ": mounted so that no code runs from it (noexec)", cure);
}

// Takes back a new folder that cannot be opened to lock it: unlocked, others would remove it.
[[noreturn]] void throw_unlocked(const fs::path& folder) {
  const std::error_code error(errno, std::generic_category());
  rmdir(folder.c_str());
  throw fs::filesystem_error("cannot lock a folder", folder.parent_path(), error);
}

}  // namespace

TemporaryFolder::TemporaryFolder(const fs::path& parent) {
  sweep(parent);
  do {  // again where it was swept away before it was locked
    if (lock_ >= 0) close(lock_);
    path = parent / new_name();
    if (mkdir(path.c_str(), S_IRWXU) != 0) {
      throw fs::filesystem_error("cannot make a folder", parent,
                                 std::error_code(errno, std::generic_category()));
    }
    lock_ = open_folder(path);
    if (lock_ < 0 && errno != ENOENT) throw_unlocked(path);
    if (lock_ >= 0) flock(lock_, LOCK_EX);  // some network shares have no locks: nor sweeping
  } while (!fs::exists(path));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
  if (lock_ >= 0) close(lock_);
}

fs::path for_temporary_files() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

bool may_write(std::uintmax_t size) {
  rlimit most{};
  return getrlimit(RLIMIT_FSIZE, &most) != 0 || most.rlim_cur == RLIM_INFINITY ||
         most.rlim_cur >= size;
}

void check_temporary_folder(std::uintmax_t room) {
  const fs::path folder = for_temporary_files();
  const std::string what = "temporary folder " + folder.string();
  std::error_code error;
  const std::uintmax_t free = fs::space(folder, error).available;
  if (error) throw refusal<HostError>(what, error.value(), cure);
  if (free < room) {
    throw HostError(what + ": " + std::to_string(free >> 20) + " MiB free, and " +
                        std::to_string((room + (1 << 20) - 1) >> 20) + " are needed",
                    cure);
  }
  if (!may_write(room)) throw refusal<HostError>(what, EFBIG, cure);
  check_code_runs(folder, what);
}

}  // namespace mpm

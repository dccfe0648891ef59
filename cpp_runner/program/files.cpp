#include "files.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "mpm_runner/error.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_of_name = 32;  // a longer name would be too long with more to it

class Temporary {
 public:
  explicit Temporary(const fs::path& target) : path(target) {
    path.replace_filename(".");
    path += target.filename().native().substr(0, most_of_name);
    path += ".";
    path += std::to_string(getpid());
  }
  ~Temporary() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  fs::path path;
};

}  // namespace

void write_atomically(const fs::path& target, const std::function<void(const fs::path&)>& write) {
  const Temporary temporary(target);
  write(temporary.path);
  std::error_code error;
  fs::rename(temporary.path, target, error);
  if (error) throw InputError(target.string() + ": cannot write there: " + error.message());
}

void write_bytes(const fs::path& target, std::initializer_list<std::string_view> parts) {
  write_atomically(target, [&](const fs::path& temporary) {
    std::ofstream file(temporary, std::ios::binary);
    for (const std::string_view part : parts) file << part;
    file.close();
    if (!file) {
      throw InputError(target.string() + ": cannot write there: " + std::strerror(errno),
                       "name a folder that exists and that you may write to");
    }
  });
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder, error)) {
    throw InputError(folder.string() + ": cannot be made a folder" +
                     (error ? ": " + error.message() : ""));
  }
}

}  // namespace mpm::program

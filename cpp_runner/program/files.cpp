#include "files.hpp"

#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "support/refusal.hpp"

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

InputError cannot_write(const fs::path& target, int number) {
  return refusal<InputError>(target.string() + ": cannot write there", number,
                             "name a file, in a folder that exists and that you may write to");
}

void write_atomically(const fs::path& target, const std::function<void(const fs::path&)>& write) {
  const Temporary temporary(target);
  write(temporary.path);
  std::error_code error;
  fs::rename(temporary.path, target, error);
  if (error) throw cannot_write(target, error.value());
}

void write_bytes(const fs::path& target, std::initializer_list<std::string_view> parts) {
  write_atomically(target, [&](const fs::path& temporary) {
    std::ofstream file(temporary, std::ios::binary);
    for (const std::string_view part : parts) file << part;
    file.close();
    if (!file) {
      throw cannot_write(target, errno);
    }
  });
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder, error))
    error = std::make_error_code(std::errc::file_exists);
  if (error) {
    throw refusal<InputError>(folder.string() + ": cannot be made a folder", error.value(),
                              "name a folder, there or new");
  }
}

}  // namespace mpm::program

#include "files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "mpm_runner/error.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

class Temporary {
 public:
  explicit Temporary(const fs::path& target) : path(target) {
    path.replace_filename(".");
    path += target.filename();
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

// target: what the error names.
void write_file(const fs::path& path, std::initializer_list<std::string_view> parts,
                const fs::path& target) {
  std::ofstream file(path, std::ios::binary);
  for (const std::string_view part : parts) file << part;
  file.close();
  if (!file) {
    throw InputError(target.string() + ": cannot write there: " + std::strerror(errno),
                     "name a folder that exists and that you may write to");
  }
}

void try_to_write(const fs::path& target) {
  constexpr std::size_t as_long_as_a_report = 1 << 16;
  const Temporary temporary(target);
  write_file(temporary.path, {std::string(as_long_as_a_report, ' ')}, target);
}

}  // namespace

void write_atomically(const fs::path& target, const std::function<void(const fs::path&)>& write) {
  const Temporary temporary(target);
  write(temporary.path);
  std::error_code error;
  fs::rename(temporary.path, target, error);
  if (error) throw InputError(target.string() + ": cannot write there: " + error.message());
}

void write_bytes(const fs::path& target, std::initializer_list<std::string_view> parts) {
  write_atomically(target,
                   [&](const fs::path& temporary) { write_file(temporary, parts, target); });
}

void check_can_write(const fs::path& target) {
  std::error_code error;
  if (!fs::is_directory(fs::absolute(target).parent_path(), error)) {
    throw InputError(target.string() + ": cannot write there: no such folder",
                     "make the folder first");
  }
  if (fs::exists(target, error) && !fs::is_regular_file(target, error)) {
    const bool is_folder = fs::is_directory(target, error);
    throw InputError(target.string() + ": cannot write there: expected a file, got " +
                         (is_folder ? "a folder" : "a device or a pipe"),
                     "name another file");
  }
  try_to_write(target);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder, error)) {
    throw InputError(folder.string() + ": cannot be made a folder" +
                     (error ? ": " + error.message() : ""));
  }
  try_to_write(folder / "results");
}

void check_output_folder(const fs::path& folder, const std::vector<fs::path>& inputs) {
  std::error_code error;
  const auto is_same = [&](const fs::path& input) {
    return fs::is_directory(input, error) && fs::equivalent(input, folder, error);
  };
  if (std::any_of(inputs.begin(), inputs.end(), is_same)) {
    throw InputError(
        folder.string() + ": expected an output folder that is not one of the input folders",
        "name another folder for the output");
  }
}

}  // namespace mpm::program

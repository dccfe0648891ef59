#include "files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "images/decode.hpp"
#include "support/refusal.hpp"
#include "support/temporary_folder.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

// A folder beside the target, for what is to take its place.
TemporaryFolder folder_beside(const fs::path& target) {
  const fs::path parent = target.parent_path();
  try {
    return TemporaryFolder(parent.empty() ? "." : parent);
  } catch (const fs::filesystem_error& error) {
    throw cannot_write(target, error.code().value());
  }
}

// target: what the error names.
void write_file(const fs::path& path, std::initializer_list<std::string_view> parts,
                const fs::path& target) {
  std::ofstream file(path, std::ios::binary);
  for (const std::string_view part : parts) file << part;
  file.close();
  if (!file) throw cannot_write(target, errno);
}

// Has the file on disk before it takes the target's place: a machine that loses power may else
// leave an empty one there. target: what the error names.
void sync(const fs::path& path, const fs::path& target) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_synced = file >= 0 && fsync(file) == 0;
  const int number = errno;
  if (file >= 0) close(file);
  if (!is_synced) throw cannot_write(target, number);
}

// So many bytes of a file, or as many as there are.
std::string beginning(const fs::path& file, std::size_t bytes) {
  std::string found(bytes, '\0');
  std::ifstream reading(file, std::ios::binary);
  reading.read(found.data(), static_cast<std::streamsize>(bytes));
  found.resize(static_cast<std::size_t>(reading.gcount()));
  return found;
}

void try_to_write(const fs::path& target) {
  constexpr std::size_t as_long_as_a_report = 1 << 16;
  const TemporaryFolder folder = folder_beside(target);
  write_file(folder.path / target.filename(), {std::string(as_long_as_a_report, ' ')}, target);
}

}  // namespace

InputError cannot_write(const fs::path& target, int number) {
  return refusal<InputError>(target.string() + ": cannot write there", number,
                             "name a file, in a folder that exists and that you may write to");
}

void write_atomically(const fs::path& target, const std::function<void(const fs::path&)>& write) {
  const TemporaryFolder folder = folder_beside(target);
  const fs::path temporary = folder.path / target.filename();
  write(temporary);
  sync(temporary, target);
  std::error_code error;
  fs::rename(temporary, target, error);
  if (error) throw cannot_write(target, error.value());
}

void write_bytes(const fs::path& target, std::initializer_list<std::string_view> parts) {
  write_atomically(target,
                   [&](const fs::path& temporary) { write_file(temporary, parts, target); });
}

void check_can_write(const fs::path& target, std::string_view begins) {
  std::error_code error;
  if (!fs::is_directory(fs::absolute(target).parent_path(), error)) {
    if (error && error != std::errc::no_such_file_or_directory) {
      throw cannot_write(target, error.value());
    }
    throw InputError(target.string() + ": cannot write there: no such folder",
                     "make the folder first");
  }
  if (fs::exists(target, error) && !fs::is_regular_file(target, error)) {
    const bool is_folder = fs::is_directory(target, error);
    throw InputError(target.string() + ": cannot write there: expected a file, got " +
                         (is_folder ? "a folder" : "a device or a pipe"),
                     "name another file");
  }
  if (const std::string found = beginning(target, begins.size());
      !found.empty() && found != begins) {
    throw InputError(
        target.string() +
            ": cannot write there: expected a new file or one of its kind, got another",
        "name another file");
  }
  try_to_write(target);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  std::error_code ignored;
  fs::create_directories(folder, error);
  const bool is_other = fs::exists(folder, ignored) && !fs::is_directory(folder, ignored);
  if (is_other) error = std::make_error_code(std::errc::file_exists);
  if (error) {
    throw refusal<InputError>(folder.string() + ": cannot be made a folder", error.value(),
                              "name a folder, there or new");
  }
  try_to_write(folder / "results");
}

void check_names_a_folder(const fs::path& folder) {
  std::error_code error;
  if (has_image_suffix(folder) && !fs::is_directory(folder, error)) {
    throw InputError(folder.string() + ": expected a folder for results, got an image's name",
                     "name a folder");
  }
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

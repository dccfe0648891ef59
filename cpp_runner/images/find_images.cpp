#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "images/decode.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "support/refusal.hpp"

namespace mpm {

namespace fs = std::filesystem;

namespace {

constexpr auto cure = "name an image or a folder of images";

// As macOS's ._a.jpg, which holds no picture.
bool is_hidden(const fs::path& file) { return file.filename().native().starts_with('.'); }

// A link to nothing counts, so that it is skipped aloud.
bool is_file(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_regular_file(error) || (entry.is_symlink(error) && !entry.exists(error));
}

// A link to a folder may lead in a circle.
bool is_folder(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error) && !entry.is_symlink(error);
}

void add_images(const fs::path& folder, bool recursive, std::vector<fs::path>& files) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (is_hidden(path)) continue;
    if (has_image_suffix(path) && is_file(entry)) files.push_back(path);
    if (recursive && is_folder(entry)) add_images(path, recursive, files);
  }
}

std::vector<fs::path> list_images(const fs::path& folder, bool recursive) {
  std::vector<fs::path> files;
  try {
    add_images(folder, recursive, files);
  } catch (const fs::filesystem_error& error) {
    throw refusal<InputError>(folder.string() + ": cannot be read", error.code().value(), cure);
  }
  return files;
}

// What to name in place of a folder without images: one inside it, if that has some.
std::string where_images_are(const fs::path& folder, bool recursive) {
  constexpr auto elsewhere = "name a folder that holds JPEG or PNG files";
  if (recursive) return elsewhere;
  try {
    const fs::path inner = find_images(folder, true).front().parent_path();
    return "name one inside it, as " + inner.string() + "; `run` takes them all with --recursive";
  } catch (const InputError&) {
    return elsewhere;
  }
}

}  // namespace

bool has_image_suffix(const fs::path& file) {
  static constexpr std::array<std::string_view, 3> suffixes{".jpg", ".jpeg", ".png"};
  std::string suffix = file.extension().string();
  for (char& letter : suffix) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end();
}

std::vector<fs::path> find_images(const fs::path& path, bool recursive) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error.value() == ENOENT) throw InputError(path.string() + ": no such file or folder", cure);
  if (error) throw refusal<InputError>(path.string() + ": cannot be read", error.value(), cure);
  if (!fs::is_directory(status)) return {path};
  std::vector<fs::path> files = list_images(path, recursive);
  if (files.empty()) {
    throw InputError(path.string() + ": no image in this folder (expected .jpg, .jpeg, .png)",
                     where_images_are(path, recursive));
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return files;
}

}  // namespace mpm

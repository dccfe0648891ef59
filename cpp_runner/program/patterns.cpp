#include "patterns.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "support/utf8.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr auto any_folders = "**";

// Where the set that a pattern begins with ends, before its bracket; npos: it is no set, but a
// bracket that nothing closes.
std::size_t set_end(std::u32string_view pattern) {
  const std::size_t first = pattern.starts_with(U"[!") ? 2 : 1;
  return pattern.find(U']', first + 1);  // one right at the beginning is of the set
}

// set: characters, and ranges of them.
bool is_in(std::u32string_view set, char32_t character) {
  while (!set.empty()) {
    const bool is_range = set.size() > 2 && set[1] == U'-';
    if (set[0] <= character && character <= set[is_range ? 2 : 0]) return true;
    set.remove_prefix(is_range ? 3 : 1);
  }
  return false;
}

// How many characters of a pattern one character of a name takes; 0: it does not match.
std::size_t match_one(std::u32string_view pattern, char32_t character) {
  if (pattern.empty()) return 0;
  const std::size_t end = pattern[0] == U'[' ? set_end(pattern) : std::u32string_view::npos;
  if (end != std::u32string_view::npos) {
    const bool is_negated = pattern.starts_with(U"[!");
    const std::size_t first = is_negated ? 2 : 1;
    return is_in(pattern.substr(first, end - first), character) != is_negated ? end + 1 : 0;
  }
  return pattern[0] == U'?' || pattern[0] == character ? 1 : 0;
}

bool is_hidden(const fs::path& name) { return name.native().starts_with('.'); }

// What lies in a folder; nothing in what cannot be read.
std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  fs::directory_iterator entry(folder.empty() ? "." : folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    found.push_back(entry->path().filename());
  }
  return found;
}

// Nothing is the folder that one is in.
bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path.empty() ? "." : path, error);
}

// The folder itself, and all that lies in it and in the folders inside it.
void add_all_of(const fs::path& folder, std::vector<fs::path>& found) {
  found.push_back(folder);
  if (!is_folder(folder)) return;
  for (const fs::path& name : entries(folder)) {
    if (!is_hidden(name)) add_all_of(folder / name, found);
  }
}

std::vector<fs::path> matching_in(const fs::path& folder, const fs::path& pattern) {
  const std::u32string wanted = characters_of(pattern.native());
  std::vector<fs::path> found;
  for (const fs::path& name : entries(folder)) {
    if (is_hidden(name) && !is_hidden(pattern)) continue;
    if (matches(wanted, characters_of(name.native()))) found.push_back(folder / name);
  }
  return found;
}

// What one name or pattern of a path stands for in a folder.
std::vector<fs::path> next_in(const fs::path& folder, const fs::path& name) {
  std::vector<fs::path> found;
  std::error_code error;
  if (name == any_folders)
    add_all_of(folder, found);
  else if (is_pattern(name.native()))
    found = matching_in(folder, name);
  else if (fs::exists(fs::symlink_status(folder / name, error)))
    found.push_back(folder / name);
  return found;
}

}  // namespace

bool is_pattern(std::string_view name) { return name.find_first_of("*?[") != name.npos; }

bool matches(std::u32string_view pattern, std::u32string_view name) {
  using Rest = std::pair<std::u32string_view, std::u32string_view>;
  std::optional<Rest> last_star;  // the pattern behind it, and the name behind what it takes
  while (!pattern.empty() || !name.empty()) {
    if (pattern.starts_with(U'*')) {
      pattern.remove_prefix(1);
      last_star = {pattern, name};
    } else if (const std::size_t taken = name.empty() ? 0 : match_one(pattern, name[0])) {
      pattern.remove_prefix(taken);
      name.remove_prefix(1);
    } else {  // the star takes one more
      if (!last_star || last_star->second.empty()) return false;
      last_star->second.remove_prefix(1);
      std::tie(pattern, name) = *last_star;
    }
  }
  return true;
}

std::vector<fs::path> files_matching(const fs::path& pattern) {
  std::vector<fs::path> found{pattern.root_path()};
  for (const fs::path& name : pattern.relative_path()) {
    if (name == ".") continue;
    std::vector<fs::path> deeper;
    for (const fs::path& folder : found) {
      if (is_folder(folder)) std::ranges::move(next_in(folder, name), std::back_inserter(deeper));
    }
    found = std::move(deeper);
  }
  std::erase_if(found, is_folder);
  std::ranges::sort(found, {}, [](const fs::path& file) { return file.native(); });
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

}  // namespace mpm::program

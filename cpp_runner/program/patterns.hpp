#pragma once

// Patterns of file names, as Python's glob reads them:
//
//   *      any characters            [abc]  one of these
//   ?      one character             [a-z]  one from here to there
//   **/    any folders, or none      [!abc] one that is none of these
//
// A name that begins with a dot is matched by what begins with one too, and folders with such a
// name are not among the any of **.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mpm::program {

// Whether it is one, and no plain name.
bool is_pattern(std::string_view name);

// Whether a pattern, of one folder's names, is matched by a name.
bool matches(std::u32string_view pattern, std::u32string_view name);

// The files that match, each once, sorted by the bytes of their paths; folders are left out.
std::vector<std::filesystem::path> files_matching(const std::filesystem::path& pattern);

}  // namespace mpm::program

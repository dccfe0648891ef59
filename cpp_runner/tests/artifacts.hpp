#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace mpm::tests {

constexpr int skip_return_code = 77;
extern bool is_skipped;

// The artifacts that a variable lists; where none is there, the run counts as skipped.
inline std::vector<std::filesystem::path> artifacts_of(const char* variable) {
  const char* list = std::getenv(variable);
  std::istringstream paths(list == nullptr ? "" : list);
  std::vector<std::filesystem::path> artifacts;
  for (std::string path; std::getline(paths, path, ':');) {
    if (std::filesystem::exists(path)) artifacts.push_back(path);
  }
  if (artifacts.empty()) {
    is_skipped = true;
    std::cerr << "skipped: name an artifact in " << variable << '\n';
  }
  return artifacts;
}

// Those that resize an image to their input, and those that slide windows over it.
inline auto test_artifacts() { return artifacts_of("MPM_TEST_ARTIFACT"); }
inline auto sliding_artifacts() { return artifacts_of("MPM_TEST_SLIDING_ARTIFACT"); }

}  // namespace mpm::tests

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

// The artifacts of MPM_TEST_ARTIFACT; where none is there, the run counts as skipped.
inline std::vector<std::filesystem::path> test_artifacts() {
  const char* list = std::getenv("MPM_TEST_ARTIFACT");
  std::istringstream paths(list == nullptr ? "" : list);
  std::vector<std::filesystem::path> artifacts;
  for (std::string path; std::getline(paths, path, ':');) {
    if (std::filesystem::exists(path)) artifacts.push_back(path);
  }
  if (artifacts.empty()) {
    is_skipped = true;
    std::cerr << "skipped: name an artifact in MPM_TEST_ARTIFACT\n";
  }
  return artifacts;
}

}  // namespace mpm::tests

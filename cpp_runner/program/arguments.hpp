#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mpm_runner/runner.hpp"

namespace mpm::program {

struct Arguments {
  bool is_worker = false;  // the child of a comparison, see worker.hpp
  std::filesystem::path artifact;
  std::filesystem::path folder;
  std::vector<int> batch_sizes{1, 2, 32};
  std::optional<std::filesystem::path> against;
  std::optional<std::filesystem::path> output;
  std::optional<std::filesystem::path> json;
  std::optional<int> limit;
  std::optional<int> warmup;  // batches
  int repeats = 3;
  RunnerOptions runner;
};

// The images of the folder, at most `limit`. Throws InputError: none.
std::vector<std::filesystem::path> chosen_images(const Arguments& arguments);

// What to exit with at once: after --help, or on wrong usage (the message is printed).
struct Exit {
  int code;
};

// Throws Exit.
Arguments parse_arguments(int argc, char** argv);

}  // namespace mpm::program

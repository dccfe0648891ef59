#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mpm_runner/runner.hpp"

namespace mpm::program {

enum class Command { run, bench, worker };

struct Arguments {
  Command command = Command::bench;
  std::filesystem::path artifact;
  RunnerOptions runner;

  // of run
  std::vector<std::filesystem::path> images;  // and folders of images
  std::filesystem::path output;
  bool scores = false;
  int batch_size = 1;

  // of bench and worker
  std::filesystem::path folder;
  std::vector<int> batch_sizes{1, 2, 32};
  std::optional<std::filesystem::path> json;
  std::optional<int> limit;
  std::optional<int> warmup;   // batches
  std::optional<int> answers;  // the descriptor that a worker's go to
};

// Throws Exit after --help, or on wrong usage; the message is printed.
Arguments parse_arguments(int argc, char** argv);

}  // namespace mpm::program

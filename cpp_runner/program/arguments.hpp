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
  std::optional<std::filesystem::path> json;  // of run and bench

  // of run
  std::vector<std::string> sources;
  bool recursive = false;
  VideoOptions video;
  std::optional<std::filesystem::path> output;
  bool scores = false;
  std::optional<int> batch_size;

  // of bench and worker
  std::filesystem::path folder;
  std::vector<int> batch_sizes{1, 2, 32};
  std::optional<int> limit;
  std::optional<int> warmup;   // batches
  std::optional<int> answers;  // the descriptor that a worker's go to
};

// Throws Exit after --help, or on wrong usage; the message is printed.
Arguments parse_arguments(int argc, char** argv);

}  // namespace mpm::program

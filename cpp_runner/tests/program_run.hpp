#pragma once

#include <string>

namespace mpm::tests {

struct ProgramRun {
  int exit_code;
  std::string output;
  std::string errors;
};

// Runs cpp_runner with these words, quoted as for a shell.
ProgramRun run_program(const std::string& words);

}  // namespace mpm::tests

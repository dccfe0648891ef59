#pragma once

#include <string>

namespace mpm::tests {

struct ProgramRun {
  int exit_code;
  std::string output;
  std::string errors;
};

// Runs cpp_runner with these words, quoted as for a shell. before: what stands in front of it, as
// another program and a pipe.
ProgramRun run_program(const std::string& words, const std::string& before = "");

}  // namespace mpm::tests

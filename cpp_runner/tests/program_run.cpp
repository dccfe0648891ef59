#include "program_run.hpp"

#include <sys/wait.h>

#include <cstdlib>

#include "temporary_folder.hpp"

namespace mpm::tests {

namespace {

std::string read_text(const fs::path& path) {
  const FileBytes bytes = read_bytes(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

ProgramRun run_program(const std::string& words, const std::string& before) {
  const TemporaryFolder folder;
  const fs::path output = folder / "output";
  const fs::path errors = folder / "errors";
  const char* program = std::getenv("MPM_TEST_PROGRAM");
  const std::string command = before + std::string(program == nullptr ? "cpp_runner" : program) +
                              " " + words + " >" + output.string() + " 2>" + errors.string();
  const int status = std::system(command.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, read_text(output), read_text(errors)};
}

}  // namespace mpm::tests

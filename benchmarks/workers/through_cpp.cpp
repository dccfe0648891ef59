// through_cpp ARTIFACT IMAGE ...
//
// As `through_c`, which it is measured against.

#include <chrono>
#include <exception>
#include <iostream>
#include <mpm_runner/mpm_runner.hpp>
#include <span>
#include <string>

namespace {

double seconds_of(const mpm::Runner& runner, std::span<char*> files) {
  const auto begin = std::chrono::steady_clock::now();
  for (const char* file : files) runner.run(file);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) try {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  if (argc < 3) {
    std::cerr << "through_cpp ARTIFACT IMAGE ...\n";
    return 2;
  }
  const mpm::Runner runner(arguments[1]);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << seconds_of(runner, arguments.subspan(2)) << std::endl;
  }
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}

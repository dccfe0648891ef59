// The words of a command line, one a line.

#include <iostream>
#include <sstream>
#include <vector>

#include "program/arguments.hpp"
#include "program/exit_codes.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::cerr.rdbuf(nullptr);  // wrong usage is told there
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream text(std::string(data, data + size));
  std::vector<std::string> words{"cpp_runner"};
  for (std::string word; std::getline(text, word);) words.push_back(word);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  try {
    mpm::program::parse_arguments(static_cast<int>(pointers.size()), pointers.data());
  } catch (const mpm::program::Exit&) {
  }
  return 0;
}

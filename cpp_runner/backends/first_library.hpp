#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/joined.hpp"

namespace mpm {

// Opens libraries one after the other until `take` takes one, and gives what that gives. take: gets
// the file's name and the open library, and throws std::runtime_error: why it does not take it; it
// stays open then, as not every library bears to be closed. Throws std::runtime_error: why none of
// them was taken.
template <typename Take>
auto first_library(const std::vector<std::string>& files, const Take& take) {
  std::vector<std::string> reasons;
  for (const std::string& file : files) {
    try {
      void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) throw std::runtime_error(dlerror());
      return take(file, library);
    } catch (const std::runtime_error& error) {
      reasons.emplace_back(error.what());
    }
  }
  throw std::runtime_error(joined(reasons, "; "));
}

}  // namespace mpm

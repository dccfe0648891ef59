#pragma once

// What the operating system refuses, as a sentence with a cure. It is the only place that knows
// errno's numbers, and how torch says that memory is short. `mpm_deploy/support/refusal.py` says
// the same.

#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "mpm_runner/error.hpp"

namespace mpm {

// What helps where an operation failed with this errno; `otherwise` where it tells no cure, as
// where nothing has that name.
std::string cure_of(int number, const std::string& otherwise);

// The error for what was refused, as "a.pt: cannot be read".
template <typename Kind>
Kind refusal(const std::string& what, int number, const std::string& cure = {}) {
  return Kind(what + ": " + std::strerror(number), cure_of(number, cure));
}

// What an exception says, in a line, or its type where it says nothing: torch goes on with where it
// was thrown. Of TorchScript the first line is of itself, and the last one what was thrown.
std::string line_of(const std::exception& error);

// The error for a refusal that another exception tells of, if it does.
std::optional<HostError> refusal_in(const std::exception& error);

// Calls the function, and throws HostError in place of an exception that tells of a refusal.
template <typename Function>
auto refusals_told(const Function& function) {
  try {
    return function();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (const std::optional<HostError> told = refusal_in(error)) throw *told;
    throw;
  }
}

}  // namespace mpm

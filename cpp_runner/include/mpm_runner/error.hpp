#pragma once

// Every error this library throws on purpose, as one family.
//
//   Error
//   ├── ArtifactError     not an artifact, or a damaged, foreign, newer or untrusted one
//   │   └── HostError     a sound artifact that does not fit this machine
//   ├── ModelError        the model gives no numbers
//   ├── ImageError        one image that cannot be decoded
//   └── InputError        nothing to do, or an argument of the wrong shape

#include <stdexcept>
#include <string>

namespace mpm {

// An error with a cure. The problem says where, what was expected and what came; the hint, which
// may be empty, says what the user can do about it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& problem, std::string hint = {})
      : std::runtime_error(problem), hint_(std::move(hint)) {}

  std::string problem() const { return what(); }
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

struct ArtifactError : Error {
  using Error::Error;
};

struct HostError : ArtifactError {
  using ArtifactError::ArtifactError;
};

struct ModelError : Error {
  using Error::Error;
};

struct ImageError : Error {
  using Error::Error;
};

struct InputError : Error {
  using Error::Error;
};

}  // namespace mpm

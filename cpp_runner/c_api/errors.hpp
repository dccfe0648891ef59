#pragma once

// Where exceptions end: every function of the C interface that can fail does its work in `guarded`
// or `made`.

#include <memory>
#include <string>

#include "mpm_runner/error.hpp"
#include "mpm_runner/mpm.h"

struct mpm_error {
  mpm_code code;
  std::string problem;
  std::string hint;
};

namespace mpm::c_api {

// The code of the exception that is being handled, and in `error`, unless it is NULL, what it says.
mpm_code tell(mpm_error** error) noexcept;

// Does the work; what it throws is told.
template <typename Work>
mpm_code guarded(mpm_error** error, const Work& work) noexcept {
  if (error != nullptr) *error = nullptr;
  try {
    work();
    return MPM_OK;
  } catch (...) {
    return tell(error);
  }
}

// What a pointer points to. Throws InputError: it is NULL.
template <typename T>
T& given(T* pointer, const char* name) {
  if (pointer == nullptr) throw InputError(std::string(name) + ": expected a pointer, got NULL");
  return *pointer;
}

// Has `target` point to what make() gives, a unique_ptr, or to nothing where it throws.
template <typename T, typename Make>
mpm_code made(T** target, const char* name, mpm_error** error, const Make& make) noexcept {
  if (target != nullptr) *target = nullptr;
  return guarded(error, [&] {
    T*& place = given(target, name);
    place = make().release();
  });
}

}  // namespace mpm::c_api

#include "c_api/errors.hpp"

#include <exception>
#include <new>
#include <optional>

#include "support/refusal.hpp"
#include "support/utf8.hpp"

namespace mpm::c_api {

namespace {

mpm_error made_of(mpm_code code, const Error& error) {
  return {code, escaped(error.problem()), escaped(error.hint())};
}

mpm_error unexpected(const std::string& what) {
  return made_of(MPM_ERROR_UNEXPECTED, Error("unexpected: " + what, "please report it"));
}

// The exception that is being handled.
mpm_error described() {
  try {
    throw;
  } catch (const HostError& error) {
    return made_of(MPM_ERROR_HOST, error);
  } catch (const ArtifactError& error) {
    return made_of(MPM_ERROR_ARTIFACT, error);
  } catch (const ModelError& error) {
    return made_of(MPM_ERROR_MODEL, error);
  } catch (const ImageError& error) {
    return made_of(MPM_ERROR_IMAGE, error);
  } catch (const InputError& error) {
    return made_of(MPM_ERROR_INPUT, error);
  } catch (const std::exception& error) {
    const std::optional<HostError> refused = refusal_in(error);
    return refused ? made_of(MPM_ERROR_HOST, *refused) : unexpected(line_of(error));
  } catch (...) {
    return unexpected("an exception that is none of the standard's");
  }
}

mpm_error& no_memory() {
  static mpm_error made = made_of(MPM_ERROR_HOST, refusal_in(std::bad_alloc()).value());
  return made;
}

// Made while there is memory.
[[maybe_unused]] const mpm_error& made_early = no_memory();

}  // namespace

mpm_code tell(mpm_error** error) noexcept {
  try {
    auto told = std::make_unique<mpm_error>(described());
    const mpm_code code = told->code;
    if (error != nullptr) *error = told.release();
    return code;
  } catch (...) {  // there is no memory left to say what it was
    if (error != nullptr) *error = &no_memory();
    return no_memory().code;
  }
}

}  // namespace mpm::c_api

mpm_code mpm_error_code(const mpm_error* error) { return error->code; }
const char* mpm_error_problem(const mpm_error* error) { return error->problem.c_str(); }
const char* mpm_error_hint(const mpm_error* error) { return error->hint.c_str(); }

void mpm_error_free(mpm_error* error) {
  if (error != &mpm::c_api::no_memory()) delete error;
}

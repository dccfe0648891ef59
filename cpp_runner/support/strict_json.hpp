#pragma once

#include <stdexcept>
#include <string>

namespace mpm {

struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Refuses JSON that a parser takes and a reader of files of unknown origin should not: a byte order
// mark, whole numbers of more than 64 bits, a key that an object has twice, and more than 64 arrays
// and objects within one another, which would overflow the stack when they are written out. Throws
// JsonError; also where the text is no JSON at all. `mpm_deploy/support/strict_json.py` has the
// same grammar.
void check_json(const std::string& text);

}  // namespace mpm

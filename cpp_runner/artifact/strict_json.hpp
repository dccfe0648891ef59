#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mpm {

// Reads JSON from a file of unknown origin, as `mpm_deploy/support/strict_json.py` does. Throws
// nlohmann's exception where it is none, and StructureError for what a parser takes and a reader
// should not: values too deep within one another, which would overflow the stack when they are
// written out, and a key that an object has twice.
nlohmann::json read_json(const std::string& text);

}  // namespace mpm

#pragma once

// Artifacts with a true manifest and hash, and nothing to run inside.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace mpm::tests {

using Json = nlohmann::json;

using Records = std::vector<std::pair<std::string, std::string>>;  // name and bytes

// Records as `tests/artifact/cases.json` has them: each has a name and its bytes, as text or in
// hex; what the directory says of it is true unless it says a method, flags, a size or another.
void write_records(const std::filesystem::path& path, const Json& records);

// Stored, not deflated; any names, any number of times.
void write_zip(const std::filesystem::path& path, const Records& records);

// Every key that there must be.
Json make_manifest();

// Writes payload records and the manifest, whose hash is filled in unless it has one.
void write_artifact(const std::filesystem::path& path, Json manifest);

}  // namespace mpm::tests

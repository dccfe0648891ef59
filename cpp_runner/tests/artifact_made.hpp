#pragma once

// Artifacts with a true manifest and hash, and nothing to run inside.

#include <filesystem>
#include <nlohmann/json.hpp>

namespace mpm::tests {

using Json = nlohmann::json;

// Every key that there must be.
Json make_manifest();

// Writes payload records and the manifest, whose hash is filled in unless it has one.
void write_artifact(const std::filesystem::path& path, Json manifest);

}  // namespace mpm::tests

#pragma once

#include <filesystem>
#include <optional>

#include "mpm_runner/manifest.hpp"

namespace mpm {

// Reads an artifact's manifest and checks who has signed it, but not the rest of the file: for who
// opens a file. A look at its hash beforehand would be at what the path named then, so what is
// opened is checked as it is read: `Archive::unpack_checked`, `copy_checked`. Throws what
// `read_manifest` throws, but for a changed payload.
Manifest read_claimed_manifest(const std::filesystem::path& artifact,
                               const std::optional<std::filesystem::path>& trust);

}  // namespace mpm

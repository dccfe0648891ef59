#pragma once

// Who vouches for an artifact: signatures with ed25519, and the keys that are trusted. An artifact
// is a program, so where trust is asked only what a trusted key has signed is opened. A signature
// is over the bytes of the manifest, and by the hash in it over everything else. Trust is asked
// with a path: one public key in PEM, or a folder of them. docs/guides/trust.md says how keys are
// made, changed and withdrawn; `mpm_deploy/artifact/trust.py` does the same.

#include <filesystem>
#include <optional>
#include <string>

namespace mpm {

// Where a machine's owner puts keys; asks for trust where it exists.
inline constexpr const char* system_keys = "/etc/mpm-deploy/trusted-keys";

// The keys that artifacts must be signed with; nothing: any may run. What the caller asks for goes
// over MPM_TRUST, which goes over the system's. Throws InputError: it cannot be seen whether the
// system has keys.
std::optional<std::filesystem::path> asked_trust(const std::optional<std::filesystem::path>& trust,
                                                 const std::filesystem::path& system = system_keys);

// Checks that a trusted key has signed the manifest record; where the artifact has no signature
// record, it has not. Throws ArtifactError: it is not signed, or with no trusted key, or changed
// since. InputError: there are no keys, or what is there is none.
void check_signature(const std::filesystem::path& artifact, const std::string& manifest,
                     const std::optional<std::string>& record, const std::filesystem::path& trust);

}  // namespace mpm

#pragma once

#include <string>
#include <string_view>

#include "artifact/trust.hpp"
#include "memory_file.hpp"
#include "mpm_runner/error.hpp"

namespace mpm::fuzz {

// The first test of RFC 8032: its key, and its signature of no bytes. make_corpus.py has them too.
inline constexpr std::string_view public_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view signature =
    R"({"algorithm": "ed25519",
 "key": "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9",
 "signature": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc)"
    R"(61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"})";

// Says whether the key of a file has signed nothing at all: "holds", or the error's name.
inline std::string ask_trust(std::string_view key, std::string_view record) {
  static MemoryFile file;
  file.write({reinterpret_cast<const std::uint8_t*>(key.data()), key.size()});
  try {
    check_signature("fuzz.pt", "", std::string(record), file.path());
  } catch (const ArtifactError&) {
    return "ArtifactError";
  } catch (const InputError&) {
    return "InputError";
  }
  return "holds";
}

}  // namespace mpm::fuzz

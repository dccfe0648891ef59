#pragma once

// Says which engines an artifact for TensorRT holds, and which of them a machine runs. Nothing is
// read but the manifest: an engine that does not fit is never given to a library.
// `mpm_deploy/backends/tensorrt/engine_info.py` says the same.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mpm_runner/manifest.hpp"

namespace mpm {

// The engines of one artifact for one kind of machine, one engine a segment.
struct EngineInfo {
  std::string flavor;                    // the library that made them, as in "tensorrt_rtx"
  std::string version;                   // its version; no other one opens them
  std::array<int, 2> capability;         // that of the GPU
  std::string machine;                   // what `uname -m` says
  std::vector<std::int64_t> bytes;       // how large each is
  std::optional<double> agreement = {};  // none where they have never run

  // The folder of the artifact that they lie in.
  std::string folder() const;

  // What made them, for sentences.
  std::string library() const;

  bool operator==(const EngineInfo&) const = default;
};

// What this machine is to an engine.
struct Here {
  std::array<int, 2> capability;
  std::string machine;
  std::map<std::string, std::string> versions;  // of the flavors that are installed, by their names
  std::string missing = {};                     // why none is, where that is known
};

// Reads which engines a manifest lists. Throws ArtifactError: they are not described as the format
// says.
std::vector<EngineInfo> engines_of(const std::filesystem::path& artifact, const Manifest& manifest);

// Gives the engines that this machine runs. Throws HostError: none are for its GPU, or for the
// version that is installed; says what they are for.
EngineInfo choose(const std::vector<EngineInfo>& engines, const Here& here,
                  const std::filesystem::path& artifact);

}  // namespace mpm

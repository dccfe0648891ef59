#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/zip_directory.hpp"

namespace mpm {

// An artifact's file: a ZIP whose records lie under one top folder. Every fault is an
// ArtifactError.
class Archive {
 public:
  static constexpr std::string_view manifest = "extra/mpm_manifest.json";
  static constexpr std::string_view signature = "extra/mpm_signature.json";
  static constexpr std::string_view sample_image = "mpm/sample_image.u8";
  static constexpr std::string_view sample_labels = "mpm/sample_labels.u8";

  static constexpr std::size_t largest_json = 1 << 20;  // bytes of a manifest, or of a signature

  explicit Archive(const std::filesystem::path& path);

  // The bytes of one record, by its name without the top folder, if they are few.
  std::string read(std::string_view name, std::size_t most) const;

  // The names of the records in a folder, as "data/aotinductor/scores/".
  std::vector<std::string> names_in(std::string_view folder) const;

  // Writes the bytes of one record to a file. Throws HostError too: it cannot be written.
  void extract(const std::string& name, const std::filesystem::path& target) const;

  // The signature record, if there is one.
  std::optional<std::string> read_signature() const;

  // SHA-256 over every record but the manifest and its signature, sorted by name: name, a zero
  // byte, size (8 bytes, little-endian), bytes.
  std::string payload_sha256() const;

 private:
  void read(const Record& record, const Sink& sink) const;

  std::filesystem::path path_;
  mutable std::ifstream file_;
  std::map<std::string, Record, std::less<>> records_;  // by their names without the top folder
};

// What to do about an artifact that cannot be used.
inline constexpr const char* rebuild_hint =
    "copy the file again, or rebuild it: mpm-deploy build --recipe NAME";

}  // namespace mpm

#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
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

  // Gives the file for a record, by its name without the top folder, if it is to have one.
  using TargetOf = std::function<std::optional<std::filesystem::path>(const std::string& name)>;

  explicit Archive(const std::filesystem::path& path);
  // copy: of the file, which is read in its place and named as it.
  Archive(const std::filesystem::path& path, std::istream& copy);
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  // The bytes of one record, by its name without the top folder, if they are few.
  std::string read(std::string_view name, std::size_t most) const;

  // The signature record, if there is one.
  std::optional<std::string> read_signature() const;

  // SHA-256 over every record but the manifest and its signature, sorted by name: name, a zero
  // byte, size (8 bytes, little-endian), bytes. On the way, records are written to the files that
  // `target_of` gives.
  std::string payload_sha256(const TargetOf& target_of = no_targets) const;

  // Throws ArtifactError: the payload has another hash than the manifest claims.
  void check_payload(const std::string& payload_sha256) const;

  // Writes records to files, and checks the hash, in one reading: until this returns, nobody may
  // trust what was written. Throws HostError too: a file cannot be written.
  void unpack_checked(const std::string& payload_sha256, const TargetOf& target_of) const;

 private:
  static std::optional<std::filesystem::path> no_targets(const std::string&) { return {}; }

  void read_directory_here();
  void read(const Record& record, const Sink& sink) const;
  void read_into(const Record& record, const Sink& sink, const std::filesystem::path& target) const;

  std::filesystem::path path_;
  mutable std::ifstream own_;
  std::istream& file_;
  std::map<std::string, Record, std::less<>> records_;  // by their names without the top folder
};

// A copy of an artifact's file in memory, whose hash has been checked. Throws ArtifactError: it has
// another one than the manifest claims, or cannot be read.
std::istringstream copy_checked(const std::filesystem::path& artifact,
                                const std::string& payload_sha256);

// What to do about an artifact that cannot be used.
inline constexpr const char* rebuild_hint =
    "copy the file again, or rebuild it: mpm-deploy build --recipe NAME";

}  // namespace mpm

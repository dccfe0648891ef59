#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mpm {

// An artifact's file: a zip whose records lie under one top folder, read with torch's own reader.
// Every fault is an ArtifactError.
class Archive {
 public:
  static constexpr std::string_view manifest = "extra/mpm_manifest.json";
  static constexpr std::string_view signature = "extra/mpm_signature.json";
  static constexpr std::string_view sample_image = "mpm/sample_image.u8";
  static constexpr std::string_view sample_labels = "mpm/sample_labels.u8";

  explicit Archive(const std::filesystem::path& path);
  ~Archive();

  // The bytes of one record, by its name without the top folder.
  std::string read(std::string_view name) const;

  // The signature record, if there is one.
  std::optional<std::string> read_signature() const;

  // SHA-256 over every record but the manifest and its signature, sorted by name: name, a zero
  // byte, size (8 bytes, little-endian), bytes.
  std::string payload_sha256() const;

 private:
  bool holds(std::string_view name) const;
  using Sink = std::function<void(const char* data, std::size_t size)>;
  void read_chunks(const std::string& name, const Sink& sink) const;
  std::size_t record_size(const std::string& name) const;

  struct Reader;
  std::filesystem::path path_;
  std::unique_ptr<Reader> reader_;
  std::vector<std::string> names_;  // sorted
};

// What to do about an artifact that cannot be used.
inline constexpr const char* rebuild_hint =
    "copy the file again, or rebuild it: mpm-deploy build --recipe NAME";

}  // namespace mpm

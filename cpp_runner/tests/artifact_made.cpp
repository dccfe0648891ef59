#include "artifact_made.hpp"

#include <zlib.h>

#include <fstream>

#include "artifact/archive.hpp"

namespace mpm::tests {

namespace {

Records make_records(const Json& manifest) {
  return {{"root/version", "3\n"},
          {"root/code/model.py", std::string(3000, 'x')},
          {"root/data.pkl", "nothing to run"},
          {"root/mpm/sample_image.u8", std::string(3 * 32 * 32, '\7')},
          {"root/mpm/sample_labels.u8", std::string(32 * 32, '\1')},
          {"root/extra/mpm_manifest.json", manifest.dump()}};
}

std::string little_endian(std::uint64_t number, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> 8 * i);
  return bytes;
}

std::string of_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// The bytes of a name, or of what is in the record, written as text or in hex.
std::string bytes_of(const Json& record, const char* text, const char* hex) {
  return record.contains(hex) ? of_hex(record[hex]) : record.value(text, "");
}

std::uint64_t number_of(const Json& record, const char* key, std::uint64_t otherwise) {
  return record.value(key, Json(otherwise)).get<std::uint64_t>();
}

// What a record's local header and its directory entry have in common: version, flags, method,
// time, date, checksum, sizes, length of the name, no extra field.
std::string make_header(const Json& record, const std::string& name, const std::string& bytes) {
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
  const std::uint64_t checksum = crc32(0, data, static_cast<uInt>(bytes.size()));
  return little_endian(20, 2) + little_endian(number_of(record, "flags", 0), 2) +
         little_endian(number_of(record, "method", 0), 2) + std::string(4, '\0') +
         little_endian(number_of(record, "checksum", checksum), 4) +
         little_endian(number_of(record, "packed_size", bytes.size()), 4) +
         little_endian(number_of(record, "size", bytes.size()), 4) + little_endian(name.size(), 2) +
         little_endian(0, 2);
}

}  // namespace

Json make_manifest() {
  return Json::parse(R"({
    "format": "mpm-artifact/2",
    "created_by": {"mpm_deploy": "0.1.0", "torch": "2.15.0", "created": "2026-11-22T16:00:00Z"},
    "recipe": {"name": "cpu_portable_fp32", "merge": {"method": "mpm"}},
    "model": {"name": "seg_t16_mask", "backbone": "vit_tiny_patch16", "head": "mask_transformer",
              "parameters": 6710000, "patch_size": 16, "special_tokens": 1, "classes": ["sky", "road"],
              "palette": [[70, 130, 180], [128, 64, 128]]},
    "weights": {"origin": "random", "sha256": null},
    "input": {"height": 32, "width": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
              "fit": "resize"},
    "merge": {"method": "mpm", "place": "before_block", "blocks": [2, 5],
              "reconstruct": "after_decoder", "options": {}, "weights": null},
    "outputs": [{"name": "scores", "dtype": "float32", "shape": [2, 2, 2]},
                {"name": "merge_maps", "dtype": "int32", "shape": [2, 4]}],
    "flops": {"constant": 100, "stages": [{"linear": 10, "quadratic": 1},
              {"linear": 20, "quadratic": 2}, {"linear": 30, "quadratic": 3}]},
    "batch": {"min": 1, "max": 64},
    "requires": {"backend": "torchscript", "device": "cpu", "dtype": "float32",
                 "versions": {"torch": "2.15.0"}, "machine": null, "cpu_isa": [],
                 "cuda_capability": null, "details": {}},
    "agreement": {"images": 8, "labels": 0.99998, "clusters": [1.0, 1.0]},
    "payload_sha256": ""
  })");
}

void write_records(const std::filesystem::path& path, const Json& records) {
  std::string file;
  std::string directory;
  for (const Json& record : records) {
    const std::string name = bytes_of(record, "name", "name_hex");
    const std::string bytes = bytes_of(record, "text", "hex");
    const std::string header = make_header(record, name, bytes);
    directory += "PK\1\2" + little_endian(20, 2) + header + std::string(8, '\0') +
                 little_endian(number_of(record, "mode", 0), 2) + little_endian(file.size(), 4) +
                 name;
    file += "PK\3\4" + header + record.value("local_name", name) + bytes;
  }
  const std::string counts = little_endian(records.size(), 2) + little_endian(records.size(), 2);
  file += directory + "PK\5\6" + std::string(4, '\0') + counts +
          little_endian(directory.size(), 4) + little_endian(file.size(), 4) + std::string(2, '\0');
  std::ofstream(path, std::ios::binary) << file;
}

void write_zip(const std::filesystem::path& path, const Records& records) {
  Json plain = Json::array();
  for (const auto& [name, bytes] : records) plain.push_back({{"name", name}, {"text", bytes}});
  write_records(path, plain);
}

void write_artifact(const std::filesystem::path& path, Json manifest) {
  if (manifest.is_object() && manifest.value("payload_sha256", "none") == "") {
    write_zip(path, make_records(manifest));
    manifest["payload_sha256"] = Archive(path).payload_sha256();
  }
  write_zip(path, make_records(manifest));
}

}  // namespace mpm::tests

#include "artifact/archive.hpp"

#include <cerrno>

#include "artifact/sha256.hpp"
#include "mpm_runner/error.hpp"
#include "support/quoting.hpp"
#include "support/refusal.hpp"
#include "support/temporary_folder.hpp"

namespace mpm {

namespace {

void check_readable(const std::ifstream& file, const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    errno = EISDIR;
  else if (file)
    return;
  throw refusal<ArtifactError>(path.string() + ": cannot be opened", errno,
                               "name a .pt, .pt2, .onnx.zip or .tensorrt.zip file");
}

std::string little_endian(std::uint64_t number) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

}  // namespace

Archive::Archive(const std::filesystem::path& path)
    : path_(path), own_(path, std::ios::binary), file_(own_) {
  check_readable(own_, path);
  read_directory_here();
}

Archive::Archive(const std::filesystem::path& path, std::istream& copy) : path_(path), file_(copy) {
  read_directory_here();
}

void Archive::read_directory_here() {
  try {
    for (const Record& record : read_directory(file_)) {
      records_.emplace(record.name.substr(record.name.find('/') + 1), record);
    }
  } catch (const ZipError& error) {
    const std::string problem = error.what();
    throw ArtifactError(
        path_.string() + ": " + (problem == no_zip ? "" : "not an artifact: ") + problem,
        rebuild_hint);
  }
}

std::string Archive::read(std::string_view name, std::size_t most) const {
  const auto found = records_.find(name);
  if (found == records_.end()) {
    throw ArtifactError(
        path_.string() + ": not an artifact of mpm-deploy: it holds no " + std::string(name),
        rebuild_hint);
  }
  const std::uint64_t size = found->second.size;
  if (size > most) {
    throw ArtifactError(path_.string() + ": record " + std::string(name) + ": expected " +
                            std::to_string(most) + " bytes at most, got " + std::to_string(size),
                        rebuild_hint);
  }
  std::string bytes;
  read(found->second, [&](const char* data, std::size_t count) { bytes.append(data, count); });
  return bytes;
}

std::optional<std::string> Archive::read_signature() const {
  if (!records_.contains(signature)) return std::nullopt;
  return read(signature, largest_json);
}

std::string Archive::payload_sha256(const TargetOf& target_of) const {
  Sha256 hash;
  const Sink hashed = [&](const char* data, std::size_t count) { hash.update(data, count); };
  for (const auto& [name, record] : records_) {
    if (name == manifest || name == signature) continue;
    const std::string size = little_endian(record.size);
    hash.update(name.c_str(), name.size() + 1);  // its closing zero byte too
    hash.update(size.data(), size.size());
    if (const auto target = target_of(name))
      read_into(record, hashed, *target);
    else
      read(record, hashed);
  }
  return hash.hex_digest();
}

void Archive::check_payload(const std::string& payload_sha256) const {
  unpack_checked(payload_sha256, no_targets);
}

void Archive::unpack_checked(const std::string& payload_sha256, const TargetOf& target_of) const {
  if (this->payload_sha256(target_of) == payload_sha256) return;
  throw ArtifactError(path_.string() + ": changed since it was built: its hash differs",
                      rebuild_hint);
}

void Archive::read_into(const Record& record, const Sink& sink,
                        const std::filesystem::path& target) const {
  if (!may_write(record.size)) {
    throw refusal<HostError>(target.string() + ": cannot be written", EFBIG);
  }
  std::ofstream file(target, std::ios::binary);
  int number = file ? 0 : errno;
  read(record, [&](const char* data, std::size_t size) {
    sink(data, size);
    if (file && !file.write(data, static_cast<std::streamsize>(size)).flush()) number = errno;
  });
  if (!file) throw refusal<HostError>(target.string() + ": cannot be written", number);
}

void Archive::read(const Record& record, const Sink& sink) const {
  try {
    read_record(file_, record, sink);
  } catch (const ZipError& error) {
    throw ArtifactError(
        path_.string() + ": damaged: record " + shown(record.name) + ": " + error.what(),
        rebuild_hint);
  }
}

std::istringstream copy_checked(const std::filesystem::path& artifact,
                                const std::string& payload_sha256) {
  std::ifstream file(artifact, std::ios::binary);
  check_readable(file, artifact);
  std::string bytes(std::filesystem::file_size(artifact), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  std::istringstream copy(std::move(bytes), std::ios::binary);
  Archive(artifact, copy).check_payload(payload_sha256);
  copy.clear();
  copy.seekg(0);
  return copy;
}

}  // namespace mpm

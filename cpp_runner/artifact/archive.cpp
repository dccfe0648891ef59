#include "artifact/archive.hpp"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "artifact/sha256.hpp"
#include "mpm_runner/error.hpp"
#include "support/refusal.hpp"

namespace mpm {

struct Archive::Reader {
  explicit Reader(const std::string& path) : zip(path) {}
  caffe2::serialize::PyTorchStreamReader zip;
};

namespace {

constexpr std::size_t chunk_size = 1 << 20;

void check_readable(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    errno = EISDIR;
  else if (std::ifstream(path))
    return;
  throw refusal<ArtifactError>(path.string() + ": cannot be opened", errno,
                               "name a .pt or .pt2 file");
}

std::string little_endian(std::uint64_t number) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

}  // namespace

Archive::Archive(const std::filesystem::path& path) : path_(path) {
  check_readable(path);
  try {
    reader_ = std::make_unique<Reader>(path.string());
    names_ = reader_->zip.getAllRecords();
  } catch (const std::exception&) {  // c10::Error, bad_alloc: whatever a hostile file provokes
    throw ArtifactError(path.string() + ": not an artifact, or cut short", rebuild_hint);
  }
  std::sort(names_.begin(), names_.end());
  if (std::adjacent_find(names_.begin(), names_.end()) != names_.end()) {
    throw ArtifactError(path.string() + ": not an artifact: two records have one name",
                        rebuild_hint);
  }
}

Archive::~Archive() = default;

std::string Archive::read(std::string_view name) const {
  if (!holds(name)) {
    throw ArtifactError(
        path_.string() + ": not an artifact of mpm-deploy: it holds no " + std::string(name),
        rebuild_hint);
  }
  std::string bytes;
  read_chunks(std::string(name),
              [&](const char* data, std::size_t size) { bytes.append(data, size); });
  return bytes;
}

std::optional<std::string> Archive::read_signature() const {
  return holds(signature) ? std::optional(read(signature)) : std::nullopt;
}

bool Archive::holds(std::string_view name) const {
  return std::binary_search(names_.begin(), names_.end(), name);
}

std::string Archive::payload_sha256() const {
  Sha256 hash;
  for (const std::string& name : names_) {
    if (name == manifest || name == signature) continue;
    const std::string size = little_endian(record_size(name));
    hash.update(name.c_str(), name.size() + 1);  // its closing zero byte too
    hash.update(size.data(), size.size());
    read_chunks(name, [&](const char* data, std::size_t count) { hash.update(data, count); });
  }
  return hash.hex_digest();
}

std::size_t Archive::record_size(const std::string& name) const {
  try {
    return reader_->zip.getRecordSize(name);
  } catch (const std::exception&) {
    throw ArtifactError(path_.string() + ": damaged: record " + name + " cannot be read",
                        rebuild_hint);
  }
}

void Archive::read_chunks(const std::string& name, const Sink& sink) const {
  const std::size_t size = record_size(name);
  try {
    auto chunks = reader_->zip.createChunkReaderIter(name, size, chunk_size);
    std::string buffer(std::min(size, chunk_size), '\0');
    for (std::size_t done = 0; done < size;) {
      const std::size_t count = chunks.next(buffer.data());
      if (count == 0) throw std::runtime_error("the record ends early");
      sink(buffer.data(), count);
      done += count;
    }
  } catch (const std::exception&) {
    throw ArtifactError(path_.string() + ": damaged: record " + name + " cannot be read",
                        rebuild_hint);
  }
}

}  // namespace mpm

#include "backends/engine_chain.hpp"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <exception>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "artifact/archive.hpp"
#include "mpm_runner/error.hpp"
#include "support/temporary_folder.hpp"

namespace mpm {

namespace {

// Refuses an engine of another size than the manifest says.
void check_whole(const std::filesystem::path& artifact, const std::filesystem::path& file,
                 std::int64_t size) {
  std::error_code is_absent;
  const std::uintmax_t there = std::filesystem::file_size(file, is_absent);
  const std::uintmax_t found = is_absent ? 0 : there;
  if (std::cmp_equal(found, size)) return;
  throw ArtifactError(artifact.string() + ": " + file.parent_path().filename().string() + "/" +
                          file.filename().string() + ": expected " + std::to_string(size) +
                          " bytes, found " + std::to_string(found),
                      "the file is damaged: copy it anew, or make its engine anew: "
                      "mpm-deploy engine " +
                          artifact.string());
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return std::move(bytes).str();
}

// Unpacks the engines of one folder of an artifact into one of the same name.
void unpack(const std::filesystem::path& artifact, const std::string& payload_sha256,
            const std::string& inside, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / inside);
  Archive(artifact).unpack_checked(
      payload_sha256, [&](const std::string& name) -> std::optional<std::filesystem::path> {
        if (std::filesystem::path(name).parent_path() != inside) return std::nullopt;
        return folder / name;
      });
}

}  // namespace

c10::Stream current_stream(const at::Device& gpu) {
  return c10::impl::VirtualGuardImpl(gpu.type()).getStream(gpu);
}

EngineChain::EngineChain(Steps steps, const at::Device& device)
    : steps_(std::move(steps)), device_(device) {
  if (device_.is_cuda()) last_.emplace(device_.type());
}

ModelOutput EngineChain::run(const at::Tensor& images, std::int64_t patches) {
  const std::lock_guard turn(mutex_);
  const c10::DeviceGuard on(device_);
  if (last_) last_->block(current_stream(device_));
  try {
    ModelOutput output = run_chain(steps_, images, patches);
    mark();
    return output;
  } catch (...) {  // what is queued until then computes all the same
    try {
      mark();
    } catch (const std::exception&) {  // the first error is the cause
    }
    throw;
  }
}

void EngineChain::mark() {
  if (last_) last_->record(current_stream(device_));
}

Steps open_engines(const std::filesystem::path& artifact, const std::string& payload_sha256,
                   const EngineInfo& engine, const OpenEngine& open) {
  const TemporaryFolder folder(for_temporary_files());
  unpack(artifact, payload_sha256, engine.folder(), folder.path);
  const auto file_of = [&](std::size_t index) {
    return folder.path / engine.folder() / (std::to_string(index) + ".engine");
  };
  for (std::size_t index = 0; index < engine.bytes.size(); ++index)
    check_whole(artifact, file_of(index), engine.bytes[index]);
  Steps steps;
  for (std::size_t index = 0; index < engine.bytes.size(); ++index)
    steps.push_back(open(bytes_of(file_of(index))));
  return steps;
}

}  // namespace mpm

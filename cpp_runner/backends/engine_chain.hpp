#pragma once

#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backends/engine_info.hpp"
#include "backends/segment_chain.hpp"

namespace mpm {

// The stream of a GPU that the caller's work is queued on.
c10::Stream current_stream(const at::Device& gpu);

// All engines of an artifact, for one image after another: threads wait for their turn.
class EngineChain {
 public:
  // steps: the engines, in order. device: where they run.
  EngineChain(Steps steps, const at::Device& device);

  // Gives what `run_chain` does, for one image (1, 3, H, W) uint8; it may still be computed when
  // this returns, on the caller's stream. patches: N of an image.
  ModelOutput run(const at::Tensor& images, std::int64_t patches);

 private:
  // Marks the end of what is queued in this turn.
  void mark();

  const Steps steps_;
  const at::Device device_;
  std::mutex mutex_;
  // An engine may still compute when its turn is over, and the next one's stream is another. On a
  // CPU there is none.
  std::optional<c10::Event> last_;
};

// Makes a step of an engine, as it was written. Throws std::runtime_error: the library's reason.
using OpenEngine = std::function<std::unique_ptr<Step>(const std::string& engine)>;

// Opens engines of an artifact, which must have the hash of its manifest. Throws ArtifactError: it
// has another one; or an engine is not there, or of another size than the manifest says, before a
// library sees any.
Steps open_engines(const std::filesystem::path& artifact, const std::string& payload_sha256,
                   const EngineInfo& engine, const OpenEngine& open);

}  // namespace mpm

#pragma once

// A loaded artifact: the three stages between fitted images and label maps, one by one. Runner puts
// them together; use Model to put them together otherwise.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/result.hpp"
#include "mpm_runner/windows.hpp"

namespace mpm {

struct ModelOptions {
  // "cpu", "cuda" or "cuda:1"; by default what the artifact was built for.
  std::optional<std::string> device = {};
  // Threads that operators on the CPU share; by default as many as libtorch would take, or
  // fewer where a quota leaves fewer cores.
  std::optional<int> threads = {};
  // A public key in PEM, or a folder of them, one of which must have signed the artifact: to open
  // one is to run its code. By default what MPM_TRUST names, or the machine's owner
  // (docs/guides/trust.md).
  std::optional<std::filesystem::path> trust = {};
};

// CPU cores that this process can keep busy: those of its affinity mask, or fewer where a control
// group has a quota.
int available_cores();

// Where a model runs.
struct DeviceInfo {
  std::string name;                     // "cpu", "cuda:0"
  int threads = 0;                      // of one operator on the CPU
  std::optional<std::string> gpu = {};  // its product name
};

// Input images on the model's device: (B, 3, H, W).
class Batch {
 public:
  std::size_t images() const;
  Batch image(std::size_t index) const;  // one of them, as a batch

 private:
  friend class Model;
  struct Data;
  std::shared_ptr<const Data> data_;
};

// What the model said of a batch, on its device: scores (B, K, h, w), merge maps (B, M, N).
class Scores {
 public:
  std::size_t images() const;
  MergeMaps merge_maps(std::size_t image) const;

 private:
  friend class Model;
  struct Data;
  std::shared_ptr<const Data> data_;
};

// One of the windows that an image was cut into: its scores, and which of their batch they are.
struct ScoredWindow {
  Scores scores;
  std::size_t index;
};

// Threads may share one: scores run on a thread of its own, where calls queue; the other stages run
// on the caller's, and on a GPU beside the scores. Every stage returns when its work is done, on
// any device. It belongs to the process that first uses it, on a GPU to the one that opens it; in a
// process forked from that, copy and scores throw InputError.
class Model {
 public:
  // Reads the manifest, checks the file, who has signed it where trust is asked, and this machine,
  // and only then loads what is in it. Throws ArtifactError or HostError; InputError: an option out
  // of range, or no keys to trust.
  explicit Model(const std::filesystem::path& artifact, const ModelOptions& options = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const Manifest& manifest() const;
  const DeviceInfo& device() const;

  // Throws InputError: no image, or one of another size than the input's.
  Batch copy(std::span<const FittedImage> images) const;
  // Any number of images: the artifact is called as often as it takes, on a CPU with as many
  // threads sharing the images as there are. Throws ModelError: they are not finite.
  Scores scores(const Batch& batch) const;
  // The label map of one image of the batch, in host memory.
  LabelMap labels(const Scores& scores, std::size_t image, Size size) const;
  // The label map of an image that windows were slid over; they are in the grid's order.
  LabelMap labels(std::span<const ScoredWindow> windows, const WindowGrid& grid, Size size) const;

  // The scores of one image of the batch, in host memory, on the model's own grid.
  ScoreMap score_map(const Scores& scores, std::size_t image) const;
  // The mean over the windows that were slid over an image, at each of the resized image's pixels.
  ScoreMap score_map(std::span<const ScoredWindow> windows, const WindowGrid& grid) const;

  // Tries the artifact on the sample it carries: the share of labels equal to those given when it
  // was built. Throws ArtifactError: fewer than 99.9 % are.
  double check_sample() const;

 private:
  struct State;
  struct Leave {
    void operator()(State* state) const;
  };
  std::unique_ptr<State, Leave> state_;
};

}  // namespace mpm

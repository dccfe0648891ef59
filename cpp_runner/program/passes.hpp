#pragma once

// What a bench times of one artifact: passes over the images of a folder.

#include <filesystem>
#include <optional>
#include <vector>

#include "arguments.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "statistics.hpp"
#include "support/contention.hpp"

namespace mpm::program {

struct Pass {
  double seconds;
  double images;  // of which windows are fractions
};

// Of prepared windows, scores alone.
struct ModelPass : Pass {
  Contention contention;
};

// Numbers of all images, no pictures.
struct EndToEndPass {
  double seconds = 0;
  Contention contention{};
  double peak_memory_mib = 0;  // the most that the process had resident until then
  std::vector<double> latencies_ms;
  StageTimes stages_ms;  // mean an image, its share of what its batch did together
  std::vector<std::vector<int>> tokens_kept;  // of each window, one number a merge
  double gflops = 0;                          // mean an image
  std::vector<Skipped> skipped;

  std::size_t images() const { return latencies_ms.size(); }
  std::size_t windows() const { return tokens_kept.size(); }
};

// An open artifact and its images. At a signal every pass throws Exit.
class Passes {
 public:
  // Tries the artifact on its sample, and makes the first images ready for the model. Throws Error:
  // it cannot be run here, or no image can be used.
  explicit Passes(const Arguments& arguments);

  std::size_t images() const { return files_.size(); }
  // Images that are ready.
  std::size_t usable() const { return usable_.size(); }
  // Their windows, one or several each.
  std::size_t windows() const { return windows_.size(); }
  // Whether there may be more, which are not made ready.
  bool is_full() const { return windows_.size() >= most_windows; }
  const Model& model() const { return runner_.model(); }

  // As the end-to-end pass, on images that may come again. batches: by default 50 on a GPU, on a
  // CPU 3 and at least 20 images.
  Pass warm_up(int batch_size, std::optional<int> batches) const;
  // Full batches of windows that are ready, none twice; only the scores are timed.
  ModelPass time_model(int batch_size) const;
  // Every file once, from the disk to a label map in host memory. Throws InputError where the model
  // fails on every image.
  EndToEndPass time_end_to_end(int batch_size) const;

 private:
  // That the model pass keeps ready, if those of an image end there.
  static constexpr std::size_t most_windows = 256;

  void prepare();

  const std::filesystem::path folder_;
  const std::vector<std::filesystem::path> files_;
  const Runner runner_;
  std::vector<FittedImage> windows_;
  std::vector<std::filesystem::path> usable_;  // the images that they came from
};

}  // namespace mpm::program

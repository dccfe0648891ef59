#pragma once

// Images taken apart into windows for the model, and put together again behind it.
//
//   loaded    a a a   skipped   b b c        the windows of images a, b, c
//   batches  [a a] [a skipped b] [b c]       of two windows; what was skipped takes no place
//   whole          a, skipped      b, c      an image is whole with the batch of its last window

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mpm_runner/model.hpp"

namespace mpm {

// An image that is ready for the model.
struct PreparedImage {
  std::filesystem::path source;
  std::vector<FittedImage> windows;  // their pixels leave them when they are copied to the device
  std::optional<WindowGrid> grid;    // where they lie; none where the one window is the whole image
  Size label_size;                   // of the label map to come
  double decode_ms = 0;
  double fit_ms = 0;
  std::int64_t index = 0;  // as in Result
  std::optional<double> time = {};
  Image image = {};  // what it was made of, where that is asked for
};

// One window of an image, on its way to the model.
struct Window {
  std::shared_ptr<PreparedImage> image;
  std::size_t index;
};

using WindowOrSkipped = std::variant<Window, Skipped>;
using Items = std::vector<WindowOrSkipped>;

// Throws InputError: below 1.
void check_batch_size(int size);

std::vector<Window> windows_of(PreparedImage image);
std::size_t count_windows(const Items& items);

// A batch on the model's device, and what was skipped on the way to it.
struct Copied {
  Items items;
  std::optional<Batch> on_device = {};  // none where all was skipped, or there was no room for it
  double copy_ms = 0;
};

// A batch behind the model.
struct ScoredBatch {
  Items items;
  Scores scores;
  double copy_ms = 0;
  double scores_ms = 0;
  std::optional<std::string> failure = {};  // what the model threw; there are no scores then
};

// Where a window went: which one it is of a batch.
struct Place {
  std::shared_ptr<const ScoredBatch> batch;
  std::size_t index;
};

// An image all of whose windows have been scored.
struct CompleteImage {
  std::shared_ptr<const PreparedImage> image;
  std::vector<Place> places;  // of its windows
};

using CompleteOrSkipped = std::variant<CompleteImage, Skipped>;

// Takes batches in order, and so keeps at most one image that is not whole yet.
class Gatherer {
 public:
  // The images that are whole with this batch, and what was skipped, in order: also an image on one
  // of whose windows the model failed.
  std::vector<CompleteOrSkipped> add(ScoredBatch batch);

 private:
  std::vector<Place> places_;
};

}  // namespace mpm

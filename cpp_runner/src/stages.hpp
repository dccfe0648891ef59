#pragma once

// From a file to an image that is ready for the model, and from a batch of those to results.

#include <variant>
#include <vector>

#include "mpm_runner/model.hpp"
#include "mpm_runner/runner.hpp"

namespace mpm {

// An image that is ready for the model.
struct Loaded {
  std::filesystem::path source;
  FittedImage image;
  Size label_size;  // of the label map to come
  double decode_ms;
  double fit_ms;
};

using LoadedOrSkipped = std::variant<Loaded, Skipped>;

Size input_size(const Manifest& manifest);

// Throws ImageError.
Loaded load(const std::filesystem::path& file, Size input, LabelSize label_size);
LoadedOrSkipped load_or_skip(const std::filesystem::path& file, Size input, LabelSize label_size);
Loaded load(const Image& image, Size input, LabelSize label_size);

// A batch on the model's device.
struct Copied {
  std::vector<Loaded> batch;  // without their pixels
  Batch on_device;
  double copy_ms = 0;
};

// A batch that the model has scored.
struct Scored {
  std::vector<Loaded> batch;
  Scores scores;
  double copy_ms = 0;
  double scores_ms = 0;
};

Copied copy(const Model& model, std::vector<Loaded> batch);
Scored score(const Model& model, Copied copied);
std::vector<Result> label(const Model& model, const Scored& scored);

// All three, one after the other.
std::vector<Result> infer(const Model& model, std::vector<Loaded> batch);

}  // namespace mpm

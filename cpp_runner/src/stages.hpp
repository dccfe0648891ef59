#pragma once

// From a file to windows that are ready for the model, and from batches of those to results.

#include <memory>
#include <variant>
#include <vector>

#include "fitting.hpp"
#include "gathering.hpp"
#include "mpm_runner/runner.hpp"

namespace mpm {

using LoadedOrSkipped = std::variant<Loaded, Skipped>;
using ResultOrSkipped = std::variant<Result, Skipped>;

// Decodes images and fits them to the model's input.
class Loader {
 public:
  Loader(std::shared_ptr<const Fitting> fitting, LabelSize label_size)
      : fitting_(std::move(fitting)), label_size_(label_size) {}

  // Throws ImageError.
  Loaded load(const std::filesystem::path& file) const;
  Loaded load(const Image& image) const;
  LoadedOrSkipped load_or_skip(const std::filesystem::path& file) const;

 private:
  std::shared_ptr<const Fitting> fitting_;
  LabelSize label_size_;
};

Copied copy(const Model& model, Items items);
Scored score(const Model& model, Copied copied);
std::vector<ResultOrSkipped> label(const Model& model, const std::vector<WholeOrSkipped>& items);

// All three, one after the other; the windows of the image are one batch.
Result infer(const Model& model, Loaded image);

}  // namespace mpm

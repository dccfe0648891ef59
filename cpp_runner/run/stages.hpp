#pragma once

// From a file to windows that are ready for the model, and from batches of those to results.

#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "mpm_runner/runner.hpp"
#include "run/decode_memory.hpp"
#include "run/image_fit.hpp"
#include "run/window_batches.hpp"

namespace mpm {

using PreparedOrSkipped = std::variant<PreparedImage, Skipped>;
using ResultOrSkipped = std::variant<Result, Skipped>;

// Decodes images and fits them to the model's input.
class Loader {
 public:
  // keeps_images: as they were before they were fitted, too.
  Loader(std::shared_ptr<const ImageFit> image_fit, LabelSize label_size,
         std::shared_ptr<DecodeMemory> memory, bool keeps_images = false)
      : image_fit_(std::move(image_fit)),
        label_size_(label_size),
        memory_(std::move(memory)),
        keeps_images_(keeps_images) {}

  // Throws ImageError.
  PreparedImage load(const std::filesystem::path& file) const;
  PreparedImage load(std::span<const std::uint8_t> file_bytes) const;
  PreparedImage load(const Image& image) const;
  PreparedOrSkipped load_or_skip(const SourceImage& image) const;

 private:
  PreparedImage load(const SourceImage& image) const;
  // file: a path or bytes.
  PreparedImage load_file(const auto& file) const;

  std::shared_ptr<const ImageFit> image_fit_;
  LabelSize label_size_;
  std::shared_ptr<DecodeMemory> memory_;
  bool keeps_images_;
};

// Throws what the model does; the items are as they were then.
Copied copy(const Model& model, Items&& items);
// The same, but what cannot be copied stays where it is, as where the device has no room for it.
Copied copy_or_leave(const Model& model, Items items);
// Of windows that are on the device.
ScoredBatch score(const Model& model, Copied copied);
// Copies first what was left. Where that or the model fails on a batch, each of its windows alone:
// what fails then as well is of that window.
std::vector<ScoredBatch> score_or_part(const Model& model, Copied copied);
std::vector<ResultOrSkipped> label(const Model& model, const std::vector<CompleteOrSkipped>& items,
                                   const Outputs& outputs);

// All three, one after the other; the windows of the image are one batch.
Result infer(const Model& model, PreparedImage image, const Outputs& outputs);

}  // namespace mpm

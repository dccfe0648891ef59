#include "mpm_runner/runner.hpp"

#include <algorithm>

#include "run/pipeline.hpp"
#include "run/stages.hpp"
#include "support/threads.hpp"

namespace mpm {

namespace {

constexpr int most_workers = 8;

void check_batch_size(int size) {
  if (size < 1) {
    throw InputError("batch_size: expected 1 or more, got " + std::to_string(size));
  }
}

}  // namespace

Runner::Runner(const std::filesystem::path& artifact, const RunnerOptions& options)
    : options_(options) {
  check_thread_count("workers", options.workers.value_or(1));
  model_ = std::make_shared<const Model>(
      artifact, ModelOptions{options.device, options.threads, options.trust});
  image_fit_ = make_image_fit(manifest().input, options.stride);
}

const Manifest& Runner::manifest() const { return model_->manifest(); }
const Model& Runner::model() const { return *model_; }

ImageWindows Runner::fit(const Image& image) const { return image_fit_->fit(image); }

Result Runner::run(const std::filesystem::path& file, const Outputs& outputs) const {
  return infer(*model_, Loader(image_fit_, options_.label_size).load(file), outputs);
}

Result Runner::run(const Image& image, const Outputs& outputs) const {
  return infer(*model_, Loader(image_fit_, options_.label_size).load(image), outputs);
}

Stream Runner::stream(std::vector<std::filesystem::path> files, int batch_size,
                      const Outputs& outputs) const {
  check_batch_size(batch_size);
  const int workers = options_.workers.value_or(std::min(available_cores(), most_workers));
  look_at_threads();
  return Stream(std::make_unique<Stream::Pipeline>(model_, Loader(image_fit_, options_.label_size),
                                                   std::move(files), batch_size, outputs, workers));
}

}  // namespace mpm

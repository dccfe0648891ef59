#include "mpm_runner/runner.hpp"

#include <algorithm>

#include "pipeline.hpp"
#include "stages.hpp"

namespace mpm {

namespace {

constexpr int most_workers = 8;

void check_at_least_one(const char* name, int value) {
  if (value < 1) {
    throw InputError(std::string(name) + ": expected 1 or more, got " + std::to_string(value));
  }
}

}  // namespace

Runner::Runner(const std::filesystem::path& artifact, const RunnerOptions& options)
    : options_(options) {
  check_at_least_one("workers", options.workers.value_or(1));
  model_ = std::make_shared<const Model>(artifact, ModelOptions{options.device, options.threads});
}

const Manifest& Runner::manifest() const { return model_->manifest(); }
const Model& Runner::model() const { return *model_; }

Result Runner::run(const std::filesystem::path& file) const {
  std::vector<Loaded> batch;
  batch.push_back(load(file, input_size(manifest()), options_.label_size));
  return infer(*model_, std::move(batch)).front();
}

Result Runner::run(const Image& image) const {
  std::vector<Loaded> batch;
  batch.push_back(load(image, input_size(manifest()), options_.label_size));
  return infer(*model_, std::move(batch)).front();
}

Stream Runner::stream(std::vector<std::filesystem::path> files, int batch_size) const {
  check_at_least_one("batch_size", batch_size);
  const int workers = options_.workers.value_or(std::min(available_cores(), most_workers));
  return Stream(std::make_unique<Stream::Pipeline>(
      model_, std::move(files),
      Stream::Pipeline::Options{batch_size, workers, options_.label_size}));
}

}  // namespace mpm

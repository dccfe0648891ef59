#include "mpm_runner/runner.hpp"

#include <algorithm>
#include <iterator>

#include "run/pipeline.hpp"
#include "run/stages.hpp"
#include "support/threads.hpp"

namespace mpm {

namespace {

constexpr int most_workers = 8;

std::shared_ptr<DecodeMemory> make_memory(std::optional<int> max_pixels) {
  if (max_pixels && *max_pixels < 1) {
    throw InputError("max_pixels: expected 1 or more, got " + std::to_string(*max_pixels));
  }
  return std::make_shared<DecodeMemory>(max_pixels.value_or(default_max_pixels));
}

}  // namespace

Runner::Runner(const std::filesystem::path& artifact, const RunnerOptions& options)
    : options_(options) {
  check_thread_count("workers", options.workers.value_or(1));
  model_ = std::make_shared<const Model>(
      artifact, ModelOptions{options.device, options.threads, options.trust});
  image_fit_ = make_image_fit(manifest().input, options.stride);
  memory_ = make_memory(options.max_pixels);
}

const Manifest& Runner::manifest() const { return model_->manifest(); }
const Model& Runner::model() const { return *model_; }

int Runner::usual_batch_size() const {
  const DeviceInfo& device = model_->device();
  return device.gpu ? manifest().batch.max : device.threads;
}

ImageWindows Runner::fit(const Image& image) const { return image_fit_->fit(image); }

Result Runner::run(const std::filesystem::path& file, const Outputs& outputs) const {
  return infer(*model_, loader(outputs).load(file), outputs);
}

Result Runner::run(std::span<const std::uint8_t> file_bytes, const Outputs& outputs) const {
  return infer(*model_, loader(outputs).load(file_bytes), outputs);
}

Result Runner::run(const Image& image, const Outputs& outputs) const {
  return infer(*model_, loader(outputs).load(image), outputs);
}

Loader Runner::loader(const Outputs& outputs) const {
  return {image_fit_, options_.label_size, memory_, outputs.image};
}

Stream Runner::stream(std::vector<std::filesystem::path> files, int batch_size,
                      const Outputs& outputs) const {
  return stream_from(open_files(std::move(files)), batch_size, outputs);
}

Stream Runner::stream_from(std::shared_ptr<Source> source, int batch_size,
                           const Outputs& outputs) const {
  check_batch_size(batch_size);
  const int workers = options_.workers.value_or(std::min(available_cores(), most_workers));
  look_at_threads();
  return Stream(std::make_unique<Stream::Pipeline>(model_, loader(outputs), std::move(source),
                                                   batch_size, outputs, workers));
}

}  // namespace mpm

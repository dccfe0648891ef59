#include "stages.hpp"

#include <chrono>

namespace mpm {

namespace {

class Stopwatch {
 public:
  // Milliseconds since the last lap.
  double lap() {
    const auto now = Clock::now();
    const std::chrono::duration<double, std::milli> passed = now - last_;
    last_ = now;
    return passed.count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

std::string without_prefix(const std::string& text, const std::string& prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

Size input_size(const Manifest& manifest) { return {manifest.input.height, manifest.input.width}; }

Loaded load(const Image& image, Size input, LabelSize label_size) {
  Stopwatch watch;
  Loaded loaded{};
  loaded.image = fit(image, input);
  loaded.label_size = label_size == LabelSize::image ? image.size : input;
  loaded.fit_ms = watch.lap();
  return loaded;
}

Loaded load(const std::filesystem::path& file, Size input, LabelSize label_size) {
  Stopwatch watch;
  const Image image = decode(file);
  const double decode_ms = watch.lap();
  Loaded loaded = load(image, input, label_size);
  loaded.source = file;
  loaded.decode_ms = decode_ms;
  return loaded;
}

LoadedOrSkipped load_or_skip(const std::filesystem::path& file, Size input, LabelSize label_size) {
  try {
    return load(file, input, label_size);
  } catch (const ImageError& error) {
    return Skipped{file, without_prefix(error.problem(), file.string() + ": ")};
  }
}

Copied copy(const Model& model, std::vector<Loaded> batch) {
  std::vector<FittedImage> images;
  for (Loaded& loaded : batch) images.push_back(std::move(loaded.image));
  Stopwatch watch;
  Batch on_device = model.copy(images);
  return {std::move(batch), std::move(on_device), watch.lap()};
}

Scored score(const Model& model, Copied copied) {
  Stopwatch watch;
  Scores scores = model.scores(copied.on_device);
  return {std::move(copied.batch), std::move(scores), copied.copy_ms, watch.lap()};
}

std::vector<Result> label(const Model& model, const Scored& scored) {
  const auto& [batch, scores, copy_ms, scores_ms] = scored;
  std::vector<Result> results(batch.size());
  Stopwatch watch;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    results[i].labels = model.labels(scores, i, batch[i].label_size);
  }
  const double labels_ms = watch.lap();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    results[i].source = batch[i].source;
    results[i].merge_maps = scores.merge_maps(i);
    results[i].tokens_kept = tokens_kept(results[i].merge_maps);
    results[i].stages_ms = {batch[i].decode_ms, batch[i].fit_ms, copy_ms, scores_ms, labels_ms};
    results[i].batch = static_cast<int>(batch.size());
  }
  return results;
}

std::vector<Result> infer(const Model& model, std::vector<Loaded> batch) {
  return label(model, score(model, copy(model, std::move(batch))));
}

}  // namespace mpm

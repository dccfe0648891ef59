#include "run/stages.hpp"

#include <algorithm>
#include <optional>

#include "images/decode.hpp"
#include "support/refusal.hpp"
#include "support/stopwatch.hpp"

namespace mpm {

namespace {

std::string without_prefix(const std::string& text, const std::string& prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

// What an error says, in a line.
std::string reason_of(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error)) return error.what();
  if (const std::optional<HostError> refused = refusal_in(error)) return refused->problem();
  return line_of(error);
}

// Tokens of several windows are counted on from window to window.
void append(const WindowResult& window, Result& result) {
  const std::size_t merges = window.tokens_kept.size();
  result.tokens_kept.resize(merges);
  result.merge_maps.resize(merges);
  for (std::size_t merge = 0; merge < merges; ++merge) {
    for (const std::int32_t token : window.merge_maps[merge]) {
      result.merge_maps[merge].push_back(result.tokens_kept[merge] + token);
    }
    result.tokens_kept[merge] += window.tokens_kept[merge];
  }
}

std::vector<WindowResult> window_results(const CompleteImage& whole) {
  std::vector<WindowResult> results;
  for (const Place& place : whole.places) {
    MergeMaps maps = place.batch->scores.merge_maps(place.index);
    WindowResult result{0, 0, tokens_kept(maps), std::move(maps)};
    if (const std::optional<WindowGrid>& grid = whole.image->grid) {
      const std::size_t columns = grid->lefts.size();
      result.top = static_cast<int>(grid->tops[results.size() / columns]);
      result.left = static_cast<int>(grid->lefts[results.size() % columns]);
    }
    results.push_back(std::move(result));
  }
  return results;
}

// What its batches took, and in `share` what they took for its windows.
StageTimes times_of(const CompleteImage& whole, StageTimes& share) {
  StageTimes times{whole.image->decode_ms, whole.image->fit_ms};
  share = times;
  const ScoredBatch* last = nullptr;
  for (const Place& place : whole.places) {
    const ScoredBatch& batch = *place.batch;
    const auto windows = static_cast<double>(batch.scores.images());
    share.copy += batch.copy_ms / windows;
    share.scores += batch.scores_ms / windows;
    if (&batch == last) continue;
    times.copy += batch.copy_ms;
    times.scores += batch.scores_ms;
    last = &batch;
  }
  return times;
}

std::vector<ScoredWindow> scored_windows(const CompleteImage& whole) {
  std::vector<ScoredWindow> windows;
  for (const Place& place : whole.places) windows.push_back({place.batch->scores, place.index});
  return windows;
}

LabelMap label_map(const Model& model, const CompleteImage& whole) {
  const Place& first = whole.places.front();
  const Size size = whole.image->label_size;
  if (!whole.image->grid) return model.labels(first.batch->scores, first.index, size);
  return model.labels(scored_windows(whole), *whole.image->grid, size);
}

ScoreMap score_map(const Model& model, const CompleteImage& whole) {
  const Place& first = whole.places.front();
  if (!whole.image->grid) return model.score_map(first.batch->scores, first.index);
  return model.score_map(scored_windows(whole), *whole.image->grid);
}

// A result with nothing but what was asked for.
Result make_outputs(const Model& model, const CompleteImage& whole, const Outputs& outputs) {
  Result result;
  if (outputs.labels) result.labels = label_map(model, whole);
  if (!outputs.scores && !outputs.probabilities) return result;
  ScoreMap scores = score_map(model, whole);
  if (outputs.probabilities) {
    const bool are_logits = model.manifest().score_kind() == "logits";
    result.probabilities = are_logits ? softmax(scores) : shares(scores);
  }
  if (outputs.scores) result.scores = std::move(scores);
  return result;
}

ResultOrSkipped make_outputs_or_skip(const Model& model, const CompleteOrSkipped& item,
                                     const Outputs& outputs) {
  if (const auto* skipped = std::get_if<Skipped>(&item)) return *skipped;
  const auto& whole = std::get<CompleteImage>(item);
  try {
    return make_outputs(model, whole, outputs);
  } catch (const std::exception& error) {
    return Skipped{whole.image->source, reason_of(error)};
  }
}

// Adds what is known of the image besides. labels_ms: of all images that were labeled with it, so
// many.
void complete(Result& result, const CompleteImage& whole, double labels_ms, std::size_t images) {
  result.source = whole.image->source;
  result.index = whole.image->index;
  result.time = whole.image->time;
  result.image = whole.image->image;
  result.windows = window_results(whole);
  for (const WindowResult& window : result.windows) append(window, result);
  result.stages_ms = times_of(whole, result.share_ms);
  result.stages_ms.labels = labels_ms;
  result.share_ms.labels = labels_ms / static_cast<double>(images);
  result.batch = static_cast<int>(whole.places.back().batch->scores.images());
}

// Each item alone.
std::vector<Copied> parts_of(const Copied& copied) {
  std::vector<Copied> parts;
  std::size_t window = 0;
  const auto windows = static_cast<double>(count_windows(copied.items));
  for (const WindowOrSkipped& item : copied.items) {
    if (copied.on_device && std::holds_alternative<Window>(item))
      parts.push_back({{item}, copied.on_device->image(window++), copied.copy_ms / windows});
    else
      parts.push_back({{item}});
  }
  return parts;
}

// Calls change(pixels) with those of each window.
void for_each_window(const Items& items, const auto& change) {
  for (const WindowOrSkipped& item : items) {
    if (const auto* window = std::get_if<Window>(&item)) {
      change(window->image->windows[window->index]);
    }
  }
}

}  // namespace

PreparedImage Loader::load(const Image& image) const {
  Stopwatch watch;
  ImageWindows fitted = image_fit_->fit(image);
  const Size size = label_size_ == LabelSize::image ? image.size : fitted.size;
  PreparedImage loaded{{}, std::move(fitted.windows), std::move(fitted.grid), size, 0, watch.lap()};
  if (keeps_images_) loaded.image = image;
  return loaded;
}

PreparedImage Loader::load_file(const auto& file) const {
  DecodeMemory::Room room(*memory_);
  Stopwatch watch;
  const Image image = decode_admitted(
      file, [&](std::uint64_t width, std::uint64_t height) { room.admit(width, height); });
  const double decode_ms = watch.lap();
  PreparedImage loaded = load(image);
  loaded.decode_ms = decode_ms;
  return loaded;
}

PreparedImage Loader::load(std::span<const std::uint8_t> file_bytes) const {
  return load_file(file_bytes);
}

PreparedImage Loader::load(const std::filesystem::path& file) const {
  PreparedImage loaded = load_file(file);
  loaded.source = file;
  return loaded;
}

PreparedImage Loader::load(const SourceImage& image) const {
  if (image.bytes) return load(*image.bytes);
  if (!image.pixels) return load(image.name);
  DecodeMemory::Room room(*memory_);
  if (image.size) {
    room.admit(static_cast<std::uint64_t>(image.size->width),
               static_cast<std::uint64_t>(image.size->height));
  }
  Stopwatch watch;
  const Image pixels = image.pixels();
  const double decode_ms = watch.lap();
  PreparedImage loaded = load(pixels);
  loaded.source = image.name;
  if (image.size) loaded.decode_ms = decode_ms;  // else it came as pixels
  return loaded;
}

PreparedOrSkipped Loader::load_or_skip(const SourceImage& image) const {
  try {
    PreparedImage loaded = load(image);
    loaded.index = image.index;
    loaded.time = image.time;
    return loaded;
  } catch (const std::exception& error) {
    return Skipped{image.name, without_prefix(reason_of(error), image.name.string() + ": ")};
  }
}

Copied copy(const Model& model, Items&& items) {
  std::vector<FittedImage> windows;
  for_each_window(items, [&](FittedImage& pixels) { windows.push_back(std::move(pixels)); });
  if (windows.empty()) return {std::move(items)};
  Stopwatch watch;
  try {
    Batch on_device = model.copy(windows);
    return {std::move(items), std::move(on_device), watch.lap()};
  } catch (...) {
    auto back = windows.begin();
    for_each_window(items, [&](FittedImage& pixels) { pixels = std::move(*back++); });
    throw;
  }
}

Copied copy_or_leave(const Model& model, Items items) {
  try {
    return copy(model, std::move(items));
  } catch (const std::exception&) {  // the next stage tries again, and tells
    return {std::move(items)};
  }
}

ScoredBatch score(const Model& model, Copied copied) {
  if (!copied.on_device) return {std::move(copied.items), {}};
  Stopwatch watch;
  Scores scores = model.scores(*copied.on_device);
  return {std::move(copied.items), std::move(scores), copied.copy_ms, watch.lap()};
}

std::vector<ScoredBatch> score_or_part(const Model& model, Copied copied) {
  std::vector<ScoredBatch> scored;
  try {
    if (!copied.on_device) copied = copy(model, std::move(copied.items));
    scored.push_back(score(model, copied));
  } catch (const std::exception& error) {
    if (copied.items.size() == 1) {
      scored.push_back({std::move(copied.items), {}, 0, 0, reason_of(error)});
    } else {
      for (Copied& part : parts_of(copied)) {
        scored.push_back(score_or_part(model, std::move(part)).front());
      }
    }
  }
  return scored;
}

std::vector<ResultOrSkipped> label(const Model& model, const std::vector<CompleteOrSkipped>& items,
                                   const Outputs& outputs) {
  std::vector<ResultOrSkipped> made;
  Stopwatch watch;
  for (const CompleteOrSkipped& item : items) {
    made.push_back(make_outputs_or_skip(model, item, outputs));
  }
  const double labels_ms = watch.lap();
  const auto images = static_cast<std::size_t>(std::ranges::count_if(
      made, [](const ResultOrSkipped& one) { return std::holds_alternative<Result>(one); }));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto* result = std::get_if<Result>(&made[i]))
      complete(*result, std::get<CompleteImage>(items[i]), labels_ms, images);
  }
  return made;
}

Result infer(const Model& model, PreparedImage image, const Outputs& outputs) {
  Items items;
  for (Window& window : windows_of(std::move(image))) items.emplace_back(std::move(window));
  Gatherer gatherer;
  const std::vector<CompleteOrSkipped> done =
      gatherer.add(score(model, copy(model, std::move(items))));
  const auto& whole = std::get<CompleteImage>(done.front());
  Stopwatch watch;
  Result result = make_outputs(model, whole, outputs);
  complete(result, whole, watch.lap(), 1);
  return result;
}

}  // namespace mpm

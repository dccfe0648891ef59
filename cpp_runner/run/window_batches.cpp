#include "run/window_batches.hpp"

#include <algorithm>

namespace mpm {

void check_batch_size(int size) {
  if (size < 1) {
    throw InputError("batch_size: expected 1 or more, got " + std::to_string(size));
  }
}

std::vector<Window> windows_of(PreparedImage image) {
  const auto shared = std::make_shared<PreparedImage>(std::move(image));
  std::vector<Window> windows;
  for (std::size_t i = 0; i < shared->windows.size(); ++i) windows.push_back({shared, i});
  return windows;
}

std::size_t count_windows(const Items& items) {
  return static_cast<std::size_t>(std::count_if(
      items.begin(), items.end(),
      [](const WindowOrSkipped& item) { return std::holds_alternative<Window>(item); }));
}

namespace {

CompleteOrSkipped complete(std::shared_ptr<const PreparedImage> image, std::vector<Place> places) {
  for (const Place& place : places) {
    if (place.batch->failure) return Skipped{image->source, *place.batch->failure};
  }
  return CompleteImage{std::move(image), std::move(places)};
}

}  // namespace

std::vector<CompleteOrSkipped> Gatherer::add(ScoredBatch batch) {
  const auto shared = std::make_shared<const ScoredBatch>(std::move(batch));
  std::vector<CompleteOrSkipped> done;
  std::size_t index = 0;
  for (const WindowOrSkipped& item : shared->items) {
    if (const auto* skipped = std::get_if<Skipped>(&item)) {
      done.emplace_back(*skipped);
      continue;
    }
    places_.push_back({shared, index++});
    const auto& image = std::get<Window>(item).image;
    if (places_.size() == image->windows.size()) {
      done.push_back(complete(image, std::move(places_)));
      places_.clear();
    }
  }
  return done;
}

}  // namespace mpm

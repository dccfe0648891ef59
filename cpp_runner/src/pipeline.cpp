#include "pipeline.hpp"

#include "own_threads.hpp"

namespace mpm {

namespace {

constexpr std::size_t batches_waiting = 1;    // after a stage, for the next one
constexpr std::size_t batches_in_flight = 2;  // one in the model, one ready to follow it

}  // namespace

Stream::Pipeline::Pipeline(std::shared_ptr<const Model> model,
                           std::vector<std::filesystem::path> files, Options options)
    : model_(std::move(model)),
      files_(std::move(files)),
      options_(options),
      loaded_(files_.size(), options.workers,
              static_cast<std::size_t>(options.workers) +
                  batches_in_flight * static_cast<std::size_t>(options.batch_size),
              [this](std::size_t index) { return load_file(index); }),
      copied_(batches_waiting, [this] { return next_copied(); }),
      scored_(batches_waiting, [this] { return next_scored(); }),
      labeled_(batches_waiting, [this] { return next_labeled(); }) {}

// What waits for a stage before it is woken; the threads end with the members.
Stream::Pipeline::~Pipeline() {
  is_left_ = true;
  loaded_.stop();
  copied_.stop();
  scored_.stop();
}

std::optional<Stream::Item> Stream::Pipeline::next() {
  if (given_ == ready_.size()) {
    std::optional<Items> items = labeled_.next();
    if (!items) return std::nullopt;
    ready_ = std::move(*items);
    given_ = 0;
  }
  return std::move(ready_[given_++]);
}

// Each thread that calls a large operator gets a pool of its own from OpenMP. Where all pools
// together have more threads than there are cores, they go to sleep after every operator, and the
// model takes twice as long: hence one thread, and no pool, for resizing.
LoadedOrSkipped Stream::Pipeline::load_file(std::size_t index) const {
  use_own_threads(1);
  return load_or_skip(files_[index], input_size(model_->manifest()), options_.label_size);
}

// Up to batch_size loaded images, with those skipped among them so that the order is kept; skipped
// ones go alone where no batch has begun.
std::vector<LoadedOrSkipped> Stream::Pipeline::next_batch() {
  std::vector<LoadedOrSkipped> batch;
  int filled = 0;
  while (std::optional<LoadedOrSkipped> item = loaded_.next()) {
    filled += std::holds_alternative<Loaded>(*item);
    batch.push_back(std::move(*item));
    if (filled == 0 || filled == options_.batch_size) break;
  }
  return batch;
}

std::optional<Stream::Pipeline::Batched<Copied>> Stream::Pipeline::next_copied() {
  Batched<Copied> next{next_batch(), {}};
  if (next.items.empty() || is_left_) return std::nullopt;
  std::vector<Loaded> loaded;
  for (LoadedOrSkipped& item : next.items) {
    if (auto* image = std::get_if<Loaded>(&item)) loaded.push_back(std::move(*image));
  }
  if (!loaded.empty()) next.loaded = copy(*model_, std::move(loaded));
  return next;
}

std::optional<Stream::Pipeline::Batched<Scored>> Stream::Pipeline::next_scored() {
  std::optional<Batched<Copied>> batch = copied_.next();
  if (!batch || is_left_) return std::nullopt;
  Batched<Scored> next{std::move(batch->items), {}};
  if (!batch->loaded.batch.empty()) next.loaded = score(*model_, std::move(batch->loaded));
  return next;
}

// Results in place of what was loaded; what was skipped stays where it is.
std::optional<Stream::Pipeline::Items> Stream::Pipeline::next_labeled() {
  std::optional<Batched<Scored>> batch = scored_.next();
  if (!batch) return std::nullopt;
  std::vector<Result> results = label(*model_, batch->loaded);
  auto result = results.begin();
  Items items;
  for (LoadedOrSkipped& item : batch->items) {
    if (auto* skipped = std::get_if<Skipped>(&item))
      items.emplace_back(std::move(*skipped));
    else
      items.emplace_back(std::move(*result++));
  }
  return items;
}

}  // namespace mpm

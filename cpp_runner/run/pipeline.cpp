#include "run/pipeline.hpp"

#include <algorithm>
#include <utility>

#include "support/threads.hpp"

namespace mpm {

namespace {

constexpr std::size_t batches_waiting = 1;    // after a stage, for the next one
constexpr std::size_t batches_in_flight = 2;  // one in the model, one ready to follow it

// Images at once, from decoded to scored.
std::size_t in_flight(std::size_t images, int workers, int batch_size) {
  const std::size_t wanted =
      static_cast<std::size_t>(workers) + batches_in_flight * static_cast<std::size_t>(batch_size);
  return std::max<std::size_t>(1, std::min(wanted, images));
}

}  // namespace

Stream::Pipeline::Pipeline(std::shared_ptr<const Model> model, Loader loader,
                           std::vector<ImageSource> images, int batch_size, const Outputs& outputs,
                           int workers)
    : model_(std::move(model)),
      loader_(std::move(loader)),
      images_(std::move(images)),
      batch_size_(batch_size),
      outputs_(outputs),
      loaded_(images_.size(), workers, in_flight(images_.size(), workers, batch_size),
              [this](std::size_t index) { return load_image(index); }),
      copied_(batches_waiting, [this] { return next_copied(); }),
      scored_(batches_waiting, [this] { return next_scored(); }),
      labeled_(batches_waiting, [this] { return next_labeled(); }) {
  home_.check("this run was begun");
}

// What waits for a stage before it is woken; the threads end with the members.
Stream::Pipeline::~Pipeline() {
  is_left_ = true;
  loaded_.stop();
  copied_.stop();
  scored_.stop();
}

std::optional<Stream::Item> Stream::Pipeline::next() {
  home_.check("this run was begun");
  if (given_ == ready_.size()) {
    std::optional<std::vector<Item>> items = labeled_.next();
    if (!items) return std::nullopt;
    ready_ = std::move(*items);
    given_ = 0;
  }
  return std::move(ready_[given_++]);
}

// Each thread that calls a large operator gets a pool of its own from OpenMP. Where all pools
// together have more threads than there are cores, they go to sleep after every operator, and the
// model takes twice as long: hence one thread, and no pool, for resizing.
PreparedOrSkipped Stream::Pipeline::load_image(std::size_t index) {
  use_intra_op_threads(1);
  return loader_.load_or_skip(std::exchange(images_[index], {}));
}

std::optional<WindowOrSkipped> Stream::Pipeline::next_window() {
  if (waiting_.empty()) {
    std::optional<PreparedOrSkipped> item = loaded_.next();
    if (!item) return std::nullopt;
    if (auto* skipped = std::get_if<Skipped>(&*item)) return std::move(*skipped);
    for (Window& window : windows_of(std::get<PreparedImage>(std::move(*item)))) {
      waiting_.push_back(std::move(window));
    }
  }
  WindowOrSkipped next = std::move(waiting_.front());
  waiting_.pop_front();
  return next;
}

// Up to batch_size windows, with skipped images among them so that the order is kept; skipped ones
// go alone where no batch has begun.
Items Stream::Pipeline::next_batch() {
  Items batch;
  int filled = 0;
  while (std::optional<WindowOrSkipped> item = next_window()) {
    filled += std::holds_alternative<Window>(*item);
    batch.push_back(std::move(*item));
    if (filled == 0 || filled == batch_size_) break;
  }
  return batch;
}

std::optional<Copied> Stream::Pipeline::next_copied() {
  Items batch = next_batch();
  if (batch.empty() || is_left_) return std::nullopt;
  return copy(*model_, std::move(batch));
}

std::optional<std::vector<ScoredBatch>> Stream::Pipeline::next_scored() {
  std::optional<Copied> batch = copied_.next();
  if (!batch || is_left_) return std::nullopt;
  return score_or_part(*model_, std::move(*batch));
}

// Of the next batches that make an image whole.
std::optional<std::vector<Stream::Item>> Stream::Pipeline::next_labeled() {
  std::vector<CompleteOrSkipped> whole;
  while (whole.empty()) {
    std::optional<std::vector<ScoredBatch>> batches = scored_.next();
    if (!batches) return std::nullopt;
    for (ScoredBatch& batch : *batches) {
      std::ranges::move(gatherer_.add(std::move(batch)), std::back_inserter(whole));
    }
  }
  return label(*model_, whole, outputs_);
}

}  // namespace mpm

#include "run/pipeline.hpp"

#include <algorithm>
#include <utility>

#include "support/threads.hpp"

namespace mpm {

namespace {

constexpr std::size_t batches_waiting = 1;    // after a stage, for the next one
constexpr std::size_t batches_in_flight = 2;  // one in the model, one ready to follow it

// Images at once, from decoded to scored; of a live source to given.
std::size_t in_flight(const Source& source, int workers, int batch_size) {
  const std::size_t batches = batches_in_flight * static_cast<std::size_t>(batch_size);
  const std::size_t wanted =
      source.is_live() ? batches : static_cast<std::size_t>(workers) + batches;
  return std::max<std::size_t>(1, std::min<std::size_t>(wanted, source.total().value_or(wanted)));
}

}  // namespace

Stream::Pipeline::Pipeline(std::shared_ptr<const Model> model, Loader loader,
                           std::shared_ptr<Source> source, int batch_size, const Outputs& outputs,
                           int workers)
    : model_(std::move(model)),
      loader_(std::move(loader)),
      source_(std::move(source)),
      batch_size_(batch_size),
      outputs_(outputs),
      room_(static_cast<std::ptrdiff_t>(in_flight(*source_, workers, batch_size))),
      loaded_(
          workers, in_flight(*source_, workers, batch_size), [this] { return take(); },
          [this](const SourceImage& image) { return load(image); }) {
  home_.check("this run was begun");
  try {
    copied_.emplace(batches_waiting, [this] { return next_copied(); });
    scored_.emplace(batches_waiting, [this] { return next_scored(); });
    labeled_.emplace(batches_waiting, [this] { return next_labeled(); });
  } catch (...) {  // no thread is left: those that are there end
    leave();
    throw;
  }
}

Stream::Pipeline::~Pipeline() { leave(); }

// What waits for a stage before it is woken; the threads end with the members.
void Stream::Pipeline::leave() {
  is_left_ = true;
  source_->stop();
  room_.release();
  loaded_.stop();
  if (copied_) copied_->stop();
  if (scored_) scored_->stop();
}

std::optional<Stream::Item> Stream::Pipeline::next() {
  home_.check("this run was begun");
  if (given_ == ready_.size()) {
    std::optional<std::vector<Item>> items = labeled_->next();
    if (!items) return std::nullopt;
    ready_ = std::move(*items);
    given_ = 0;
  }
  if (source_->is_live()) room_.release();
  return std::move(ready_[given_++]);
}

std::optional<SourceImage> Stream::Pipeline::take() {
  if (source_->is_live()) room_.acquire();
  if (is_left_) return std::nullopt;
  return source_->next();
}

// Each thread that calls a large operator gets a pool of its own from OpenMP. Where all pools
// together have more threads than there are cores, they go to sleep after every operator, and the
// model takes twice as long: hence one thread, and no pool, for resizing.
PreparedOrSkipped Stream::Pipeline::load(const SourceImage& image) const {
  use_intra_op_threads(1);
  return loader_.load_or_skip(image);
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
// go alone where no batch has begun. What the source throws comes behind what it gave before.
Items Stream::Pipeline::next_batch() {
  Items batch;
  int filled = 0;
  try {
    while (std::optional<WindowOrSkipped> item = next_window()) {
      filled += std::holds_alternative<Window>(*item);
      batch.push_back(std::move(*item));
      if (filled == 0 || filled == batch_size_) break;
    }
  } catch (...) {  // and is thrown again when more is asked for
    if (batch.empty()) throw;
  }
  return batch;
}

std::optional<Copied> Stream::Pipeline::next_copied() {
  Items batch = next_batch();
  if (batch.empty() || is_left_) return std::nullopt;
  return copy_or_leave(*model_, std::move(batch));
}

std::optional<std::vector<ScoredBatch>> Stream::Pipeline::next_scored() {
  std::optional<Copied> batch = copied_->next();
  if (!batch || is_left_) return std::nullopt;
  return score_or_part(*model_, std::move(*batch));
}

// Of the next batches that make an image whole.
std::optional<std::vector<Stream::Item>> Stream::Pipeline::next_labeled() {
  std::vector<CompleteOrSkipped> whole;
  while (whole.empty()) {
    std::optional<std::vector<ScoredBatch>> batches = scored_->next();
    if (!batches) return std::nullopt;
    for (ScoredBatch& batch : *batches) {
      std::ranges::move(gatherer_.add(std::move(batch)), std::back_inserter(whole));
    }
  }
  return label(*model_, whole, outputs_);
}

}  // namespace mpm

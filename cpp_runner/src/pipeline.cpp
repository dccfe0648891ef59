#include "pipeline.hpp"

namespace mpm {

namespace {

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
              [this](std::size_t index) {
                return load_or_skip(files_[index], input_size(model_->manifest()),
                                    options_.label_size);
              }),
      done_(batches_in_flight),
      thread_([this] { run_model(); }) {}

Stream::Pipeline::~Pipeline() {
  loaded_.stop();
  done_.close();
  thread_.join();
}

std::optional<Stream::Item> Stream::Pipeline::next() {
  if (given_ == ready_.size()) {
    std::optional<Items> items = done_.pop();
    if (!items && failure_) std::rethrow_exception(failure_);
    if (!items) return std::nullopt;
    ready_ = std::move(*items);
    given_ = 0;
  }
  return std::move(ready_[given_++]);
}

void Stream::Pipeline::run_model() {
  try {
    for (auto batch = next_batch(); !batch.empty(); batch = next_batch()) {
      if (!done_.push(infer_loaded(std::move(batch)))) return;
    }
  } catch (...) {  // whatever the model throws is thrown again where results are read
    failure_ = std::current_exception();
  }
  done_.close();
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

// Results in place of what was loaded; what was skipped stays where it is.
Stream::Pipeline::Items Stream::Pipeline::infer_loaded(std::vector<LoadedOrSkipped> batch) const {
  std::vector<Loaded> loaded;
  for (LoadedOrSkipped& item : batch) {
    if (auto* image = std::get_if<Loaded>(&item)) loaded.push_back(std::move(*image));
  }
  std::vector<Result> results;
  if (!loaded.empty()) results = infer(*model_, std::move(loaded));
  auto result = results.begin();
  Items items;
  for (LoadedOrSkipped& item : batch) {
    if (auto* skipped = std::get_if<Skipped>(&item))
      items.emplace_back(std::move(*skipped));
    else
      items.emplace_back(std::move(*result++));
  }
  return items;
}

}  // namespace mpm

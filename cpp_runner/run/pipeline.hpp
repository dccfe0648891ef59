#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "mpm_runner/stream.hpp"
#include "run/producer.hpp"
#include "run/read_ahead.hpp"
#include "run/stages.hpp"
#include "support/home_process.hpp"

namespace mpm {

//   files ─▶ workers: decode, fit ─▶ batches of windows: copy ─▶ scores ─▶ label maps ─▶ results
//            at most `ahead` at once                  one waits   one waits   one waits
//
// Each stage has threads of its own and asks the one before it.
class Stream::Pipeline {
 public:
  Pipeline(std::shared_ptr<const Model> model, Loader loader, std::vector<ImageSource> images,
           int batch_size, const Outputs& outputs, int workers);
  ~Pipeline();

  std::optional<Item> next();
  bool is_elsewhere() const { return home_.is_elsewhere(); }

 private:
  PreparedOrSkipped load_image(std::size_t index);
  std::optional<WindowOrSkipped> next_window();
  Items next_batch();
  std::optional<Copied> next_copied();
  std::optional<std::vector<ScoredBatch>> next_scored();
  std::optional<std::vector<Item>> next_labeled();

  const HomeProcess home_;
  const std::shared_ptr<const Model> model_;
  const Loader loader_;
  std::vector<ImageSource> images_;  // each until it is loaded
  const int batch_size_;
  const Outputs outputs_;
  std::atomic<bool> is_left_ = false;
  std::vector<Item> ready_;  // what next() gives from
  std::size_t given_ = 0;
  std::deque<Window> waiting_;  // of the image that the next batch begins with
  Gatherer gatherer_;
  ReadAhead<PreparedOrSkipped> loaded_;
  Producer<Copied> copied_;
  Producer<std::vector<ScoredBatch>> scored_;
  Producer<std::vector<Item>> labeled_;
};

}  // namespace mpm

#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <semaphore>
#include <vector>

#include "mpm_runner/source.hpp"
#include "mpm_runner/stream.hpp"
#include "run/producer.hpp"
#include "run/read_ahead.hpp"
#include "run/stages.hpp"
#include "support/home_process.hpp"

namespace mpm {

//   source ─▶ workers: decode, fit ─▶ batches of windows: copy ─▶ scores ─▶ label maps ─▶ results
//             at most `ahead` at once                  one waits   one waits   one waits
//
// Each stage has threads of its own and asks the one before it. Of a live source fewer are under
// way: what waits grows old.
class Stream::Pipeline {
 public:
  Pipeline(std::shared_ptr<const Model> model, Loader loader, std::shared_ptr<Source> source,
           int batch_size, const Outputs& outputs, int workers);
  ~Pipeline();

  std::optional<Item> next();
  bool is_elsewhere() const { return home_.is_elsewhere(); }

 private:
  void leave();
  std::optional<SourceImage> take();
  PreparedOrSkipped load(const SourceImage& image) const;
  std::optional<WindowOrSkipped> next_window();
  Items next_batch();
  std::optional<Copied> next_copied();
  std::optional<std::vector<ScoredBatch>> next_scored();
  std::optional<std::vector<Item>> next_labeled();

  const HomeProcess home_;
  const std::shared_ptr<const Model> model_;
  const Loader loader_;
  const std::shared_ptr<Source> source_;
  const int batch_size_;
  const Outputs outputs_;
  std::atomic<bool> is_left_ = false;
  std::vector<Item> ready_;  // what next() gives from
  std::size_t given_ = 0;
  std::deque<Window> waiting_;  // of the image that the next batch begins with
  Gatherer gatherer_;
  std::counting_semaphore<> room_;  // for images of a live source under way
  ReadAhead<SourceImage, PreparedOrSkipped> loaded_;
  // Begun one after the other: where one cannot be, those before it are told to end.
  std::optional<Producer<Copied>> copied_;
  std::optional<Producer<std::vector<ScoredBatch>>> scored_;
  std::optional<Producer<std::vector<Item>>> labeled_;
};

}  // namespace mpm

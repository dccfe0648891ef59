#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "mpm_runner/stream.hpp"
#include "producer.hpp"
#include "read_ahead.hpp"
#include "stages.hpp"

namespace mpm {

//   files ─▶ workers: decode, fit ─▶ batches: copy ─▶ scores ─▶ label maps ─▶ results
//            at most `ahead` at once       one waits   one waits   one waits
//
// Each stage has threads of its own and asks the one before it.
class Stream::Pipeline {
 public:
  struct Options {
    int batch_size;
    int workers;
    LabelSize label_size;
  };

  Pipeline(std::shared_ptr<const Model> model, std::vector<std::filesystem::path> files,
           Options options);
  ~Pipeline();

  std::optional<Item> next();

 private:
  using Items = std::vector<Item>;

  // A batch as it was read, and how far those of its images came that could be: Copied or Scored.
  template <typename Stage>
  struct Batched {
    std::vector<LoadedOrSkipped> items;  // of those loaded only the places are left
    Stage loaded;
  };

  LoadedOrSkipped load_file(std::size_t index) const;
  std::vector<LoadedOrSkipped> next_batch();
  std::optional<Batched<Copied>> next_copied();
  std::optional<Batched<Scored>> next_scored();
  std::optional<Items> next_labeled();

  const std::shared_ptr<const Model> model_;
  const std::vector<std::filesystem::path> files_;
  const Options options_;
  std::atomic<bool> is_left_ = false;
  Items ready_;  // the batch that next() gives from
  std::size_t given_ = 0;
  ReadAhead<LoadedOrSkipped> loaded_;
  Producer<Batched<Copied>> copied_;
  Producer<Batched<Scored>> scored_;
  Producer<Items> labeled_;
};

}  // namespace mpm

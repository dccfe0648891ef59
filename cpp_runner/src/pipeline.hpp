#pragma once

#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "bounded_queue.hpp"
#include "mpm_runner/stream.hpp"
#include "read_ahead.hpp"
#include "stages.hpp"

namespace mpm {

//   files ─▶ workers: decode, fit ─▶ the model's thread: batches ─▶ results
//            at most `ahead` at once                 at most 2 batches wait
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

  void run_model();
  std::vector<LoadedOrSkipped> next_batch();
  Items infer_loaded(std::vector<LoadedOrSkipped> batch) const;

  const std::shared_ptr<const Model> model_;
  const std::vector<std::filesystem::path> files_;
  const Options options_;
  ReadAhead<LoadedOrSkipped> loaded_;
  BoundedQueue<Items> done_;
  std::exception_ptr failure_;  // written before done_ is closed, read after
  Items ready_;                 // the batch that next() gives from
  std::size_t given_ = 0;
  std::thread thread_;
};

}  // namespace mpm

#pragma once

#include <memory>
#include <optional>
#include <variant>

#include "mpm_runner/result.hpp"

namespace mpm {

// Many images on their way: decode and fit on worker threads, batches to the model on a thread of
// its own, on a CPU label maps on one more, results out in the order of the files. Every queue
// between them is bounded.
class Stream {
 public:
  using Item = std::variant<Result, Skipped>;

  ~Stream();  // may be left early: what is under way is finished, the rest is not begun
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  // The next result, or nothing after the last. Throws InputError: this is another process than the
  // one it was begun in, after a fork.
  std::optional<Item> next();

 private:
  friend class Runner;
  class Pipeline;
  struct Leave {
    void operator()(Pipeline* pipeline) const;
  };
  explicit Stream(std::unique_ptr<Pipeline> pipeline);
  std::unique_ptr<Pipeline, Leave> pipeline_;
};

}  // namespace mpm

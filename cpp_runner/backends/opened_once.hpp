#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace mpm {

// What is open of a payload, so that its weights are in memory once; it stays open as long as
// somebody has it. Whoever asks while something is being opened waits.
//
//   Runner ─▶ OpenedOnce ─┐
//                         ├─▶ what is open, and the calls to it that are under way
//   Runner ─▶ OpenedOnce ─┘
//
// A forked child goes on with what was open, in memory that it shares with its parent. Only what a
// thread was calling at that moment it opens anew: that thread is not there to give back what it
// took.
class OpenedOnce {
 public:
  using Open = std::function<std::shared_ptr<void>()>;

  // payload_sha256: as the manifest has it; without one, each opens its own. part: what of the
  // payload, and how; says its type too. open: opens it, once it has checked the hash; throws what
  // it likes, and may be called again, in a forked child. check: checks the hash where somebody
  // else has opened a file of that hash.
  OpenedOnce(std::string payload_sha256, std::string part, Open open,
             const std::function<void()>& check);

  // Gives `work` what is open in this process, a T, for one call to it. Throws what `open` does
  // where this process is a forked child and has to open it.
  template <typename T, typename Work>
  auto call(const Work& work) const {
    const std::shared_ptr<Shared> shared = here();
    const Call under_way(shared->calls);
    return work(*static_cast<T*>(shared->opened.get()));
  }

 private:
  friend struct Process;

  // Something open, for all that opened the same.
  struct Shared {
    const std::shared_ptr<void> opened;
    std::atomic<int> calls = 0;  // that are under way
    std::atomic<bool> is_left_behind = false;
  };

  class Call {
   public:
    explicit Call(std::atomic<int>& calls) : calls_(calls) { ++calls_; }
    ~Call() { --calls_; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    std::atomic<int>& calls_;
  };

  std::shared_ptr<Shared> here() const;
  // What is open, which may be opened first, and whether it was open.
  std::pair<std::shared_ptr<Shared>, bool> share() const;

  const std::pair<std::string, std::string> key_;
  const Open open_;
  mutable std::mutex mutex_;  // nobody calls one in two processes: no fork leaves it locked
  mutable std::shared_ptr<Shared> shared_;
};

}  // namespace mpm

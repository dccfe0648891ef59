#pragma once

#include <chrono>
#include <memory>

#include "support/contention.hpp"
#include "support/task_thread.hpp"

namespace mpm {

// Has threads that share an operator sleep at once, not wait awake, while other processes keep our
// cores busy.
//
// A thread that waits awake burns the time of its core, which the one it waits for needs where a
// neighbor takes turns with it. But to sleep and be woken at every operator costs a quarter of the
// speed where nobody else wants the core:
//
//                            waiting awake   asleep     images a second of a small model,
//     nobody else is busy        10.5          7.8      two threads on two cores
//     one neighbor is            0.6           5.6
//
// libgomp, which shares libtorch's operators out, reads once how long to wait awake. But its
// threads sleep at once while there are more of them than cores. So a pool with nothing to do is
// kept beside busy neighbors.
class Neighbors {
 public:
  // threads: that share an operator; one alone waits for nobody.
  explicit Neighbors(int threads) : threads_(threads) {}

  // Looks what others do, once a second at most; to be called between operators.
  void look();

  // Whether threads sleep at once.
  bool gives_way() const { return surplus_ != nullptr; }

 private:
  using Clock = std::chrono::steady_clock;

  const int threads_;
  ContentionWatch watch_;
  Clock::time_point last_look_ = Clock::now();
  std::unique_ptr<TaskThread> surplus_;  // has a pool behind it
};

}  // namespace mpm

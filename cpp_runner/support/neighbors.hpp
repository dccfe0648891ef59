#pragma once

#include <chrono>
#include <memory>

#include "support/contention.hpp"
#include "support/task_thread.hpp"

namespace mpm {

// Has an operator shared by as many threads as other processes leave cores, half of them at least.
//
// All threads of an operator wait for the last one, which has to wait for its core where a neighbor
// takes turns with it:
//
//                         two threads,      two threads,   one       images a second of a
//                         waiting awake     asleep         thread    tiny model on two cores
//     nobody is busy          215              .            159
//     one neighbor is           .             74            158
//     two are                   .             34            132
//
// Where even half of the threads are more than others leave, those that wait sleep at once: awake
// they burn the time of a core that another one needs. libgomp, which shares libtorch's operators
// out, reads once how long to wait awake; but its threads sleep while there are more of them than
// cores. So a pool with nothing to do is kept then.
class Neighbors {
 public:
  // threads: that share an operator; one alone waits for nobody.
  explicit Neighbors(int threads) : threads_(threads) {}

  // Looks what others do, once a second at most; to be called between operators, on the thread that
  // calls them.
  void look();

  // Whether fewer threads share an operator than there are.
  bool gives_way() const { return given_up_ > 0; }

 private:
  using Clock = std::chrono::steady_clock;

  // How many threads have no core to themselves; one that has just lost it stays so. taken: cores
  // that others keep busy beyond those that are left to them.
  int threads_to_give_up(double taken) const;

  // Has threads sleep as they wait where others take cores from those that are left.
  void sleep(double taken);

  const int threads_;
  int given_up_ = 0;
  ContentionWatch watch_;
  Clock::time_point last_look_ = Clock::now();
  std::unique_ptr<TaskThread> surplus_;  // has a pool behind it
};

}  // namespace mpm

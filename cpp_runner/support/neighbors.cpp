#include "support/neighbors.hpp"

#include <ATen/ops/ones.h>

#include "support/cores.hpp"
#include "support/threads.hpp"

namespace mpm {

namespace {

constexpr std::chrono::seconds between_looks(1);
// Cores that others keep busy beyond those that are left to them: where there are neighbors, and
// where there are none any more.
constexpr double many = 0.3;
constexpr double few = 0.15;

// A thread that has called a large operator, and so has a pool behind it.
std::unique_ptr<TaskThread> open_pool() {
  auto thread = std::make_unique<TaskThread>([] { use_intra_op_threads(cores_of_affinity()); });
  thread->run([] { at::ones({1 << 19}).sum(); });
  return thread;
}

}  // namespace

void Neighbors::look() {
  if (threads_ == 1 || Clock::now() < last_look_ + between_looks) return;
  const double taken = watch_.read().others_cores - (cores_of_affinity() - threads_);
  last_look_ = Clock::now();
  if (!surplus_ && taken > many)
    surplus_ = open_pool();
  else if (taken < few)
    surplus_.reset();
}

}  // namespace mpm

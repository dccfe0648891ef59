#include "support/neighbors.hpp"

#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>

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
  given_up_ = threads_to_give_up(taken);
  use_intra_op_threads(threads_ - given_up_);
  sleep(taken - given_up_);
}

int Neighbors::threads_to_give_up(double taken) const {
  const auto without_core = [&](double least) {
    return std::min(threads_ / 2, static_cast<int>(std::floor(taken + 1 - least)));
  };
  return std::max({0, without_core(many), std::min(given_up_, without_core(few))});
}

void Neighbors::sleep(double taken) {
  if (!surplus_ && taken > many && threads_ - given_up_ > 1)
    surplus_ = open_pool();
  else if (taken < few)
    surplus_.reset();
}

}  // namespace mpm

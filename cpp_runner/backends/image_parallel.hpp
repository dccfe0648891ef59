#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "support/first_failure.hpp"
#include "support/task_thread.hpp"

namespace mpm {

// Several images at once on a CPU, each on threads of its own.
//
//   one after the other, all threads on each       side by side, the threads shared out
//   thread 1  ▓▓░▓▓▓░▓░│▓▓░▓▓▓░▓░                  ▓▓▓▓▓▓▓▓▓▓▓▓▓
//   thread 2  ▓▓░▓▓░░▓░│▓▓░▓▓░░▓░                  ▓▓▓▓▓▓▓▓▓▓▓▓▓
//
// All threads on one image wait for one another at every operator, and some operators have work for
// one only. Its own threads are made at the first batch that has more than one part, and stay. One
// thread at a time may call it.
class SideBySide {
 public:
  // threads: to share out. use_threads(n) gives the operators of the thread that calls it n of
  // them; the caller of `run` is taken to have all.
  SideBySide(int threads, std::function<void(int)> use_threads)
      : threads_(static_cast<std::size_t>(threads)), use_threads_(std::move(use_threads)) {}

  // Runs do_part(0) .. do_part(parts - 1), as many at once as there are threads. Throws, after all
  // have ended, what the first part that threw did; std::system_error: a thread cannot be started.
  void run(std::size_t parts, const std::function<void(std::size_t)>& do_part) {
    const std::size_t workers = std::min(parts, threads_);
    std::vector<std::exception_ptr> failures(parts);
    std::atomic<std::size_t> begun = 0;
    const auto work = [&] {
      for (std::size_t part = begun++; part < parts; part = begun++) {
        try {
          do_part(part);
        } catch (...) {  // not understood here, only carried over
          failures[part] = std::current_exception();
        }
      }
    };
    if (workers > 1) {
      share_out(workers);
      at_once(workers, work);
    } else {
      work();
    }
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
  }

 private:
  // The first workers get an equal share each, always the same ones: a thread keeps those that its
  // operators once used.
  void share_out(std::size_t workers) {
    if (workers == sharing_) return;
    sharing_ = 0;  // until all have it
    while (workers_.size() < workers) workers_.push_back(std::make_unique<TaskThread>());
    at_once(workers, [&] { use_threads_(static_cast<int>(threads_ / workers)); });
    sharing_ = workers;
  }

  // Throws what failed first, be it that a worker cannot be started, once all that were begun have
  // ended: `work` refers to what its caller holds.
  void at_once(std::size_t workers, const std::function<void()>& work) const {
    std::vector<std::future<void>> begun;
    begun.reserve(workers);
    FirstFailure failure;
    failure.note([&] {
      for (std::size_t i = 0; i < workers; ++i) begun.push_back(workers_[i]->submit(work));
    });
    for (std::future<void>& each : begun) failure.note([&] { each.get(); });
    failure.rethrow();
  }

  const std::size_t threads_;
  const std::function<void(int)> use_threads_;
  std::vector<std::unique_ptr<TaskThread>> workers_;
  std::size_t sharing_ = 0;  // workers that have their share
};

}  // namespace mpm

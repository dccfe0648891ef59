#pragma once

#include <unistd.h>

#include <atomic>
#include <string>

#include "mpm_runner/error.hpp"

namespace mpm {

// The process that threads are in. They start at the first use, and a fork leaves them behind:
// whoever waits for them in the child waits for ever.
class HomeProcess {
 public:
  // Makes this process home, if there is none yet. what: was done, to whom, as in "this run was
  // begun". Throws InputError: home is another process.
  void check(const std::string& what) const {
    pid_t home = 0;
    const pid_t here = getpid();
    if (process_.compare_exchange_strong(home, here) || home == here) return;
    throw InputError(what + " in another process, and its threads stayed there",
                     "open one in this process, after the fork");
  }

  bool is_elsewhere() const { return process_ != 0 && process_ != getpid(); }

 private:
  mutable std::atomic<pid_t> process_ = 0;
};

}  // namespace mpm

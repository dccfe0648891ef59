#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace mpm::tests {

// Whether the work says yes in a forked process; one that hangs is killed.
inline bool in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const bool is_well = work();
    _exit(is_well ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0;
}

}  // namespace mpm::tests

#include "support/contention.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "support/cores.hpp"

namespace mpm {

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

bool may_use(int core) {
  cpu_set_t cores;
  // It fails on machines of more cores than fit: all of them count there.
  return sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_ISSET(core, &cores);
}

// How long the cores that this process may use were busy, since the machine started. What another
// virtual machine took of them counts too. 0 where nothing tells.
double busy_seconds() {
  std::int64_t ticks = 0;
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line) && line.starts_with("cpu");) {
    std::istringstream fields(line.substr(3));
    if (line[3] == ' ') continue;  // the sum of all
    int core = 0;
    std::int64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0;
    std::int64_t interrupt = 0, soft_interrupt = 0, steal = 0;
    fields >> core >> user >> nice >> system >> idle >> waiting >> interrupt >> soft_interrupt >>
        steal;
    if (may_use(core)) ticks += user + nice + system + interrupt + soft_interrupt + steal;
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

ContentionWatch::Counts ContentionWatch::Counts::now() {
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  const auto clock = std::chrono::steady_clock::now().time_since_epoch();
  return {.clock = std::chrono::duration<double>(clock).count(),
          .others = busy_seconds() - seconds(own.ru_utime) - seconds(own.ru_stime),
          .interruptions = own.ru_nivcsw,
          .throttled = throttled_periods()};
}

Contention ContentionWatch::read() {
  const Counts end = Counts::now();
  const Counts begin = std::exchange(begin_, end);
  const double passed = end.clock - begin.clock;
  return {.others_cores = std::max(0.0, (end.others - begin.others) / passed),
          .interruptions = static_cast<double>(end.interruptions - begin.interruptions) / passed,
          .throttled = static_cast<double>(end.throttled - begin.throttled) / passed};
}

}  // namespace mpm

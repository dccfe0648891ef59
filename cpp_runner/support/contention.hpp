#pragma once

#include <cstdint>

namespace mpm {

// What held this process back over a stretch of time.
struct Contention {
  double others_cores;   // that others kept busy, of those that the process may use
  double interruptions;  // times a second that a thread lost its core before it had to wait
  double throttled;      // times a second that a quota ran out
};

// Watches from when it is made, or was read.
class ContentionWatch {
 public:
  Contention read();

 private:
  // What was counted until now; times are in seconds.
  struct Counts {
    double clock;
    double others;
    std::int64_t interruptions;
    std::int64_t throttled;

    static Counts now();
  };

  Counts begin_ = Counts::now();
};

}  // namespace mpm

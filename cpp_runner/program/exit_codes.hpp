#pragma once

namespace mpm::program {

inline constexpr int exit_done = 0;
inline constexpr int exit_error = 1;
inline constexpr int exit_wrong_usage = 2;
inline constexpr int exit_skipped = 3;   // done, but for some images
inline constexpr int exit_signal = 128;  // and its number: 130 SIGINT, 143 SIGTERM, 129 SIGHUP

// What to exit with at once, with nothing more to say: after --help, on wrong usage, at a signal.
struct Exit {
  int code;
};

}  // namespace mpm::program

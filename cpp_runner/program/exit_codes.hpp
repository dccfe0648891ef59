#pragma once

namespace mpm::program {

inline constexpr int exit_done = 0;
inline constexpr int exit_error = 1;
inline constexpr int exit_wrong_usage = 2;
inline constexpr int exit_skipped = 3;  // done, but for some images

}  // namespace mpm::program

#pragma once

// How many cores this process may use: often fewer than the machine has.
//
//   affinity mask     which cores: taskset, the cpuset of a container
//   control groups    how much of their time: the quota of the process's group, and of all above

#include <cstdint>
#include <filesystem>

namespace mpm {

// How many cores the process's affinity mask has.
int cores_of_affinity();

// How many cores this process can keep busy, at least 1: those of its affinity mask, or fewer where
// a control group has a quota, of which a part of a core counts as one. What cannot be read is no
// quota. root: where `proc` and the mounts of control groups are looked for.
int available_cores(const std::filesystem::path& root);

// In how many periods so far a quota ran out, and this process's group had to wait.
std::int64_t throttled_periods(const std::filesystem::path& root = "/");

}  // namespace mpm

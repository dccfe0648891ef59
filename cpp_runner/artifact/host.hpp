#pragma once

#include <filesystem>
#include <istream>
#include <set>
#include <string>

#include "mpm_runner/manifest.hpp"

namespace mpm {

// Where a model runs: "cpu", "cuda" or "cuda:1".
struct Device {
  bool is_cuda = false;
  int index = 0;

  std::string name() const;  // "cpu", "cuda:0"
};

// What `uname -m` says.
std::string machine_name();

// Throws InputError: not a device's name.
Device parse_device(const std::string& name);

// What a CPU can do, in the words of /proc/cpuinfo ("flags" on x86, "Features" on Arm); empty where
// it says nothing.
std::set<std::string> cpu_flags(std::istream& cpuinfo);

// Refuses a machine that is known not to run the artifact; nothing in it is loaded. any_device: the
// backend runs its files on other devices than they were built for. Throws HostError: what it was
// built for, what this machine is, and how to rebuild it.
void check_host(const Manifest& manifest, const Device& device,
                const std::filesystem::path& artifact, bool any_device = false);

}  // namespace mpm

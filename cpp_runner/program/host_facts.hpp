#pragma once

#include <istream>
#include <string>

#include "mpm_runner/model.hpp"
#include "report.hpp"

namespace mpm::program {

// What to call a CPU. On x86, /proc/cpuinfo has its name. On Arm it has numbers, and the board
// stands for the CPU: Raspberry Pi's kernel says there which it is, others in
// /proc/device-tree/model. machine: what remains where neither says anything, as uname has it.
std::string cpu_name(std::istream& cpuinfo, std::istream& board, const std::string& machine);

// Of this machine, now.
HostInfo host_facts(const DeviceInfo& device);

}  // namespace mpm::program

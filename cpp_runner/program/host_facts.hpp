#pragma once

#include "mpm_runner/model.hpp"
#include "report.hpp"

namespace mpm::program {

// Of this machine, now.
HostInfo host_facts(const DeviceInfo& device);

}  // namespace mpm::program

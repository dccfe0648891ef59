#pragma once

#include "arguments.hpp"
#include "report.hpp"

namespace mpm::program {

// How many images a second, end to end and model alone: for each batch size a warm-up and both
// passes. Two artifacts in turns are timed by `mpm-deploy bench --program`. Throws Error, and Exit
// at a signal.
Report bench(const Arguments& arguments);

}  // namespace mpm::program

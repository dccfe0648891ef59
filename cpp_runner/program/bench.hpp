#pragma once

#include "arguments.hpp"
#include "report.hpp"

namespace mpm::program {

// How many images a second, end to end and model alone, and does merging pay?
//
//   for each batch size:   warm up A, B     then, R times:   A model, A end to end, B model, ...
//
// Each artifact has a process of its own (Engine), and they take turns. Throws Error.
Report bench(const Arguments& arguments);

}  // namespace mpm::program

#pragma once

#include <string>

#include "report.hpp"

namespace mpm::program {

// One row a batch size; tokens kept and GFLOPs are means over the images.
std::string results_table(const std::vector<Measurement>& results);

}  // namespace mpm::program

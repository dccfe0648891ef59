#pragma once

#include <string>

#include "report.hpp"

namespace mpm::program {

// One row a batch size; tokens kept and GFLOPs are means over the images.
std::string results_table(const std::vector<Measurement>& results);

// How many times faster the artifact is than the other, median (least – most).
std::string comparison_table(const std::vector<Ratio>& results);

}  // namespace mpm::program

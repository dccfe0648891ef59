#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report.hpp"

namespace mpm::program {

// One row a batch size; tokens kept and GFLOPs are means over the images.
std::string results_table(const std::vector<Measurement>& results);

// What held the program back, where it was enough to slow it.
std::optional<std::string> contention_sentence(const std::vector<Measurement>& results);

}  // namespace mpm::program

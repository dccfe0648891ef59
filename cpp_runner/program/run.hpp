#pragma once

#include <vector>

#include "arguments.hpp"

namespace mpm::program {

// What was written of a folder, and with what.
struct Written {
  std::size_t label_maps = 0;
  std::vector<Skipped> skipped;
  bool is_random = false;  // the weights
};

// Writes the label map of every image, and its class scores where they are asked for. Throws Error;
// and Exit at a signal, when the label maps that are there are whole.
Written run(const Arguments& arguments);

}  // namespace mpm::program

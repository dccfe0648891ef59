#pragma once

#include <string>

#include "arguments.hpp"

namespace mpm::program {

// What a run came to.
struct Written {
  std::string said;        // in words, where what is
  bool is_all = true;      // nothing was skipped, and no frame was broken
  bool is_random = false;  // the weights
};

// Writes what was asked for of every image or frame, and says what was skipped and what was lost.
// Throws Error; and Exit at a signal, when what is there is whole.
Written run(const Arguments& arguments);

}  // namespace mpm::program

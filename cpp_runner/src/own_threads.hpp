#pragma once

namespace mpm {

// Lets libtorch's operators use `count` threads on a CPU when this thread calls them. The number
// that new threads start with stays as it is.
void use_own_threads(int count);

}  // namespace mpm

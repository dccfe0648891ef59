#include "images/formats/exif.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int orientation = mpm::read_orientation({data, size});
  if (orientation < 1 || orientation > 8) std::abort();
  return 0;
}

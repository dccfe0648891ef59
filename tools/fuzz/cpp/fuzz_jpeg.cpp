#include "image_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mpm::fuzz::decode_or_refuse({data, size});
  return 0;
}

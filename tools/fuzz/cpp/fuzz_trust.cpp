// A signature's record, by a key that is trusted; and the file of a key.

#include "trust_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  mpm::fuzz::ask_trust(mpm::fuzz::public_key, text);
  mpm::fuzz::ask_trust(text, mpm::fuzz::signature);
  return 0;
}

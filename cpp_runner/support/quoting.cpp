#include "support/quoting.hpp"

#include "support/utf8.hpp"

namespace mpm {

std::string shortened(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return std::string(text);
  std::size_t end = longest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 60;
  return '"' + shortened(printable(shortened(text, longest), ""), longest) + '"';
}

}  // namespace mpm

#pragma once

#include <string>
#include <vector>

namespace mpm {

// Writes texts as one, with `between` from one to the next.
inline std::string joined(const std::vector<std::string>& texts, const char* between = ", ") {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

}  // namespace mpm

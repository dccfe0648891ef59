#pragma once

// Quotes what came from outside in a message: short, however long it is.
// `mpm_deploy/support/quoting.py` does the same.

#include <cstddef>
#include <string>
#include <string_view>

namespace mpm {

inline constexpr std::size_t longest_quoted = 200;  // bytes

// The text, cut after so many bytes.
std::string shortened(std::string_view text, std::size_t longest = longest_quoted);

// A name or another short text, in quotation marks and with what is not printable escaped.
std::string shown(std::string_view text);

}  // namespace mpm

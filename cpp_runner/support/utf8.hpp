#pragma once

#include <string>
#include <string_view>

namespace mpm {

// The text with every byte that is not UTF-8, as names of files may have, as `mark` and two
// hexadecimal digits. With the mark "\udc" it is what Python makes of such a name.
std::string escaped(std::string_view bytes, std::string_view mark = "\\udc");

}  // namespace mpm

#pragma once

#include <string>
#include <string_view>

namespace mpm {

// The text with every byte that is not UTF-8, as names of files may have, as `mark` and two
// hexadecimal digits. With the mark "\udc" it is what Python makes of such a name.
std::string escaped(std::string_view bytes, std::string_view mark = "\\udc");

// The text as a terminal may have it: with what is not UTF-8 escaped, and every character that a
// terminal obeys, but for those that are kept.
std::string printable(std::string_view bytes, std::string_view kept = "\n\t");

// The text's characters; each byte that is not UTF-8 is one, U+DC80 and up as in Python.
std::u32string characters_of(std::string_view bytes);

}  // namespace mpm

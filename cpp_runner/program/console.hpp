#pragma once

#include <string>

namespace mpm::program {

// Opens /dev/null in place of a standard stream that is closed, whose number the next file that is
// opened would have.
void open_streams();

// Prints a line to stderr; names of files that are no text are escaped.
void talk(const std::string& line);

// Prints data to stdout; a reader that has seen enough is no error. Throws Error: stdout cannot be
// written, as on a full disk.
void show(const std::string& text);

}  // namespace mpm::program

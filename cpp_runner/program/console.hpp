#pragma once

#include <string>

namespace mpm::program {

// Opens /dev/null in place of a standard stream that is closed, whose number the next file that is
// opened would have. Gives stdout a descriptor of its own: what libraries print to its number, as
// oneDNN does where ONEDNN_VERBOSE is set, goes to stderr, so that data stay whole.
void open_streams();

// Has data go to this open descriptor, not to stdout. Throws std::system_error: it is none.
void show_at(int descriptor);

// Prints a line to stderr; names of files that are no text are escaped.
void talk(const std::string& line);

// Prints data to stdout; a reader that has seen enough is no error. Throws Error: stdout cannot be
// written, as on a full disk.
void show(const std::string& text);

}  // namespace mpm::program

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mpm_runner/result.hpp"

namespace mpm::program {

// Opens /dev/null in place of a standard stream that is closed, whose number the next file that is
// opened would have. Gives stdout a descriptor of its own: what libraries print to its number, as
// oneDNN does where ONEDNN_VERBOSE is set, goes to stderr, so that data stay whole.
void open_streams();

// Has data go to this open descriptor, not to stdout. Throws std::system_error: it is none.
void show_at(int descriptor);

// What came from files reaches a terminal through these two alone, and nothing in it that a
// terminal would obey: that is escaped, as are names of files that are no text.

// Prints a line to stderr.
void talk(const std::string& line);

// Names what was skipped, and why.
void say_skipped(const Skipped& image);
void say_skipped(const std::vector<Skipped>& skipped);

// Prints data to stdout; a reader that has seen enough is no error. Throws Error: stdout cannot be
// written, as on a full disk.
void show(const std::string& data);

// How many there are of something, as in "1 label map" and "2 label maps".
std::string counted(std::int64_t count, const std::string& thing);

// Whether its reader still takes data: it may have seen enough, and gone.
bool is_stdout_read();

}  // namespace mpm::program

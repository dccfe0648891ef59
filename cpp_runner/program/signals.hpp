#pragma once

namespace mpm::program {

// Notes SIGINT, SIGTERM and SIGHUP from now on, in place of ending there: the work ends at its next
// item, and what it made for a time goes. One that was ignored, as under nohup, stays so. SIGPIPE
// is ignored: a closed pipe is what writing to it says.
void note_signals();

// Throws Exit where a signal was noted.
void check_signals();

// Whether one came.
bool has_signal();

}  // namespace mpm::program

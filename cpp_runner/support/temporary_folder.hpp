#pragma once

#include <cstdint>

namespace mpm {

// Refuses a folder for temporary files, where machine code is unpacked and run, that has not so
// many bytes of room, cannot be written to, or from which no code may run.
// `mpm_deploy/support/temporary_folder.py` says the same. Throws HostError.
void check_temporary_folder(std::uintmax_t room);

}  // namespace mpm

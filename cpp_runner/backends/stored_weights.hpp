#pragma once

#include <filesystem>

namespace mpm {

// Frees the weights that a library of AOTInductor's brings, once it has copied them, by a hole in
// its file, and so in memory, where that works:
//
//   library in the temporary folder      memory
//   code │ weights                    ─▶ code │ weights │ their copy, which the model reads
//   code │ a hole                     ─▶ code │ a hole  │ their copy
//
// Else they would be there twice for as long as the model is open: the copy, and the file, which
// takes memory too where temporary files lie in it, and on a disk as long as they are not written.
// library: an open one that has made its container; nobody else may need the file.
void free_stored_weights(const std::filesystem::path& library);

}  // namespace mpm

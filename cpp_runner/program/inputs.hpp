#pragma once

#include <filesystem>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "mpm_runner/source.hpp"

namespace mpm::program {

// What a run reads: images, or the frames of one video or camera.
struct Inputs {
  std::string name;  // as results have it
  std::shared_ptr<Source> source;
  bool has_frames = false;
  std::vector<std::filesystem::path> images;   // none where it has frames
  std::vector<std::filesystem::path> folders;  // of each image, below the one that was named
};

// list: stdin, which the source "-" reads paths from, a line each or with a NUL after each. Throws
// InputError: nothing there, nothing of use in it, or a video among other sources; HostError: a
// video, and this program was built without them.
Inputs open_inputs(const Arguments& arguments, std::istream& list);

}  // namespace mpm::program

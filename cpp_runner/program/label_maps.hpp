#pragma once

// Label maps as picture files: one PNG an image, whose palette is the classes' colors.

#include <filesystem>
#include <string>
#include <vector>

#include "mpm_runner/manifest.hpp"
#include "mpm_runner/result.hpp"

namespace mpm::program {

// The file name of each image's label map: the image's with .png in place of its suffix; images
// that share a stem keep their whole names: a.jpg, a.png, b.jpg give a.jpg.png, a.png.png, b.png.
// folders: where each goes, below the folder of all; by default nowhere below. Throws InputError:
// two would still be the same.
std::vector<std::string> label_map_names(const std::vector<std::filesystem::path>& images,
                                         std::vector<std::filesystem::path> folders = {});

// Up to 256 classes make an 8-bit palette PNG, more a 16-bit gray one; the file appears whole or
// not at all. Throws InputError: it cannot be written there.
void write_label_map(const std::filesystem::path& target, const LabelMap& labels,
                     const std::vector<Color>& palette);

}  // namespace mpm::program

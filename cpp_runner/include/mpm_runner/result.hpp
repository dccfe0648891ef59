#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mpm_runner/image.hpp"

namespace mpm {

// A class for every pixel.
struct LabelMap {
  Size size;
  std::vector<std::uint16_t> labels;  // (height, width), class indices

  std::uint16_t at(int row, int column) const {
    return labels[static_cast<std::size_t>(row) * static_cast<std::size_t>(size.width) +
                  static_cast<std::size_t>(column)];
  }
};

// merge_maps[m][i]: the token that patch i belongs to after merge m, patches row by row.
using MergeMaps = std::vector<std::vector<std::int32_t>>;

// Tokens left after each merge; empty for a full-token model.
std::vector<int> tokens_kept(const MergeMaps& merge_maps);

// Milliseconds from an image file to its label map, stage by stage.
struct StageTimes {
  double decode = 0;  // file to pixels; 0 for an image that came as pixels
  double fit = 0;     // resize to the model's input
  double copy = 0;    // images into one batch on the device
  double scores = 0;  // the model
  double labels = 0;  // scores to label maps in host memory

  double total() const { return decode + fit + copy + scores + labels; }
};

struct Result {
  std::filesystem::path source;  // empty where the image came as pixels
  LabelMap labels;
  std::vector<int> tokens_kept;  // after each merge
  MergeMaps merge_maps;
  // Decode and fit of this image; copy, scores and labels of its whole batch. Waiting in between is
  // not counted.
  StageTimes stages_ms;
  int batch = 1;  // images in its batch
};

// An image that could not be decoded; the others go on.
struct Skipped {
  std::filesystem::path path;
  std::string reason;
};

}  // namespace mpm

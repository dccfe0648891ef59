#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
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

// A value for every class at every point of a grid.
struct ScoreMap {
  int classes = 0;
  Size size;                  // rows and columns of the grid
  std::vector<float> values;  // (classes, rows, columns)

  float at(int class_index, int row, int column) const {
    const auto index = (static_cast<std::int64_t>(class_index) * size.height + row) * size.width;
    return values[static_cast<std::size_t>(index + column)];
  }
};

// The softmax over the classes, on the same grid.
ScoreMap softmax(ScoreMap scores);

// The share of each class in the sum over the classes, on the same grid; of scores from 0 up.
ScoreMap shares(ScoreMap scores);

// What to make of an image: nothing is made that is not asked for.
struct Outputs {
  bool labels = true;
  bool scores = false;
  bool probabilities = false;
  bool image = false;
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
  double labels = 0;  // scores to label maps in host memory, and to whatever else is asked for

  double total() const { return decode + fit + copy + scores + labels; }
};

// What the model did with one window of an image.
struct WindowResult {
  int top = 0;  // on the resized image; 0 and 0 where the window is the whole image
  int left = 0;
  std::vector<int> tokens_kept;  // after each merge
  MergeMaps merge_maps;
};

struct Result {
  std::filesystem::path source;     // empty where the image came as pixels; "a.mp4, frame 12"
  std::int64_t index = 0;           // of a stream's: among what its source gave, from 1
  std::optional<double> time = {};  // of a frame: seconds since the first one of its source
  LabelMap labels;  // this, scores and probabilities are empty where they were not asked for
  // The scores that the label map is made of, as they are. The grid is that of the model's patches;
  // where windows slide over the image it is that of the resized image's pixels, and the scores are
  // the mean over the windows on each. Resized bilinearly to the size of the label map, as
  // align_corners=False, the best class of each pixel is its label: rows first, then columns, in
  // float32.
  ScoreMap scores;
  // What they say of each class, on their grid: their softmax, or where the scores are sums of
  // probabilities their shares. Resized bilinearly they still sum to 1 at every pixel, but where
  // classes are close another one than the label may then be the best.
  ScoreMap probabilities;
  // What the label map is of: upright, before it is resized; empty where it was not asked for.
  Image image;
  std::vector<WindowResult> windows;  // one where fit is "resize"
  std::vector<int> tokens_kept;       // after each merge, of all windows together
  // Of several windows the patches follow one another, and tokens are counted on from window to
  // window.
  MergeMaps merge_maps;
  // Decode and fit of this image; copy, scores and labels of its whole batch, or of all batches
  // that held a window of it. Waiting in between is not counted.
  StageTimes stages_ms;
  // What of that was done for this image alone: all images' shares sum up to the work.
  StageTimes share_ms;
  // Windows in its batch, in the last one where there were several; these are images where fit is
  // "resize".
  int batch = 1;
};

// An image that could not be decoded, or that the model or the memory failed on; the others go on.
struct Skipped {
  std::filesystem::path path;
  std::string reason;
};

}  // namespace mpm

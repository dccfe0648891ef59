#pragma once

// What a run makes of each image or frame, in every form that was asked for: label maps and class
// scores with --output, or a video with label maps over its frames; a line each with --json.

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "inputs.hpp"
#include "json.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/stream.hpp"
#include "overlay_video.hpp"

namespace mpm::program {

// Lines of JSON, each whole as soon as it is put; on stdout where the target is "-".
class JsonLines {
 public:
  // Throws InputError: it cannot be written.
  explicit JsonLines(const std::filesystem::path& target);
  // Throws InputError, or Error: it cannot be written on.
  void put(const Json& line);

 private:
  const std::filesystem::path target_;
  const bool is_stdout_;
  std::ofstream file_;
  std::uintmax_t whole_ = 0;  // bytes of whole lines
};

class RunOutputs {
 public:
  // Throws InputError: what is to be written makes no sense, or cannot be where it is to be.
  RunOutputs(const Arguments& arguments, const Inputs& inputs);

  // What has to be made of each image or frame.
  Outputs wanted() const { return {.scores = arguments_.scores, .image = is_video_}; }
  // Makes folders and files. Throws InputError.
  void open(const Manifest& manifest);
  // Writes what was made of the next image or frame; gives it back with the reason where that could
  // not be done. Throws InputError: a file of all frames together cannot be written on.
  std::optional<Skipped> write(const Stream::Item& item);
  // Writes the video's end and the last line, and says what was lost, each whatever comes of the
  // others. Throws InputError: one cannot be written.
  void end();

  // Whether all goes to a stdout whose reader is gone.
  bool nobody_reads() const;
  std::string said() const;  // how much there is now, and where
  bool is_all() const { return skipped_ == 0 && inputs_.source->losses().broken == 0; }

 private:
  // Names the label map of each image. Throws InputError.
  void choose_targets();
  // Gives what the item came to: a result that is written, or why not.
  std::optional<Skipped> write_files(const Stream::Item& item);
  std::optional<Skipped> write_label_map_of(const Result& result) const;
  std::filesystem::path label_map_path() const;
  void tell_losses() const;

  const Arguments& arguments_;
  const Inputs& inputs_;
  const bool is_video_;                         // what --output names
  std::vector<std::filesystem::path> targets_;  // the label maps of images
  std::optional<JsonLines> lines_;
  std::optional<OverlayVideo> video_;
  std::vector<Color> palette_;
  std::int64_t index_ = 0;  // of what is written now, from 1
  std::int64_t written_ = 0;
  std::int64_t skipped_ = 0;
};

}  // namespace mpm::program

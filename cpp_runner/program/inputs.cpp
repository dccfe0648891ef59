#include "inputs.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "patterns.hpp"
#include "run/sources/frame_reader.hpp"
#include "run/sources/names.hpp"
#include "signals.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr auto stdin_name = "-";

// One without a match, whose name a file has, is that file.
bool names_a_pattern(const std::string& place) {
  std::error_code error;
  return is_pattern(place) && !fs::exists(fs::symlink_status(place, error));
}

std::vector<fs::path> matching(const std::string& pattern) {
  std::vector<fs::path> files = files_matching(pattern);
  if (!files.empty()) return files;
  throw InputError(pattern + ": no file matches this pattern", "try it with `ls`");
}

std::vector<fs::path> listed(std::istream& list) {
  const std::string text{std::istreambuf_iterator<char>(list), {}};
  const char separator = text.find('\0') == std::string::npos ? '\n' : '\0';
  std::istringstream names(text);
  std::vector<fs::path> files;
  for (std::string name; std::getline(names, name, separator);) {
    if (!name.empty()) files.emplace_back(name);
  }
  if (files.empty()) {
    throw InputError("stdin: expected a list of paths, a line each, got none", "ls *.jpg | ...");
  }
  return files;
}

std::vector<fs::path> find(const std::string& place, bool recursive, std::istream& list) {
  if (place == stdin_name) return listed(list);
  if (names_a_pattern(place)) return matching(place);
  return find_images(place, recursive);
}

Inputs open_images(const Arguments& arguments, std::istream& list) {
  Inputs inputs;
  std::error_code error;
  for (const std::string& place : arguments.sources) {
    const bool is_inside = arguments.recursive && fs::is_directory(place, error);
    inputs.name += (inputs.name.empty() ? "" : " ") + place;
    for (const fs::path& image : find(place, arguments.recursive, list)) {
      inputs.images.push_back(image);
      const fs::path folder = image.parent_path().lexically_relative(place);
      inputs.folders.push_back(is_inside && folder != "." ? folder : fs::path());
    }
  }
  inputs.source = open_files(inputs.images);
  return inputs;
}

Inputs open_frames(const Arguments& arguments) {
  const std::string& place = arguments.sources.front();
  VideoOptions options = arguments.video;
  options.is_stopped = has_signal;
  silence_decoders();
  try {
    return {without_password(place), open_video(place, options), true, {}, {}};
  } catch (const InputError&) {
    check_signals();  // one that ended a wait is the reason
    throw;
  }
}

}  // namespace

Inputs open_inputs(const Arguments& arguments, std::istream& list) {
  const std::vector<std::string>& places = arguments.sources;
  const auto video = std::ranges::find_if(places, is_video);
  if (video == places.end()) return open_images(arguments, list);
  if (places.size() == 1) return open_frames(arguments);
  throw InputError(without_password(*video) + ": expected a video or a camera alone, got " +
                       std::to_string(places.size()) + " sources",
                   "run each by itself");
}

}  // namespace mpm::program

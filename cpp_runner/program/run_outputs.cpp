#include "run_outputs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <set>

#include "console.hpp"
#include "files.hpp"
#include "frame_lines.hpp"
#include "label_maps.hpp"
#include "mpm_runner/error.hpp"
#include "score_files.hpp"
#include "support/first_failure.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr auto stdout_name = "-";

// The files by whatever path; what is empty is a pipe or a link to itself: no file that could be
// overwritten.
template <typename Path>
std::set<fs::path> files_at(const std::vector<Path>& paths) {
  std::set<fs::path> files;
  std::error_code error;
  for (const auto& path : paths) files.insert(fs::weakly_canonical(path, error));
  files.erase(fs::path());
  return files;
}

// Refuses to write over an input.
template <typename Input>
void check_keeps(const std::vector<Input>& inputs, const std::vector<fs::path>& targets,
                 const std::string& what) {
  const std::set<fs::path> kept = files_at(inputs);
  std::error_code error;
  for (const fs::path& target : targets) {
    if (kept.contains(fs::weakly_canonical(target, error))) {
      throw InputError(target.string() + ": this " + what,
                       "name another place for what is written");
    }
  }
}

// Refuses a file of lines that another output would take the place of.
void check_differ(const fs::path& lines, const std::vector<fs::path>& outputs) {
  std::error_code error;
  if (files_at(outputs).contains(fs::weakly_canonical(lines, error))) {
    throw InputError(lines.string() + ": expected two files for -o and --json", "name another one");
  }
}

std::optional<fs::path> file_of_lines(const Arguments& arguments) {
  return arguments.json == stdout_name ? std::nullopt : arguments.json;
}

// The next run would take label maps for images.
void check_lies_outside(const fs::path& output, const std::vector<std::string>& sources) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(output, error);
  for (const std::string& source : sources) {
    const fs::path folder = fs::weakly_canonical(source, error);
    const bool is_inside = std::ranges::mismatch(folder, target).in1 == folder.end();
    if (fs::is_directory(folder, error) && is_inside) {
      throw InputError(output.string() + ": expected an output folder outside " + folder.string() +
                           ", which is read with all folders in it",
                       "name another folder for the output");
    }
  }
}

void check_makes_sense(const Arguments& arguments, bool has_frames, bool is_video) {
  if (is_video && !has_frames) {
    throw InputError(arguments.output->string() +
                         ": expected a folder for the label maps of images, got a video's name",
                     "name a folder; a video is made of a video or a camera");
  }
  if (arguments.scores && (!arguments.output || is_video)) {
    throw InputError("--scores: expected a folder, where class scores go beside label maps",
                     "-o FOLDER");
  }
  if (is_video && arguments.runner.label_size != LabelSize::image) {
    throw InputError("--label-size: expected image, as label maps go over frames, got input",
                     "name a folder for label maps of another size");
  }
}

void check_files(const Arguments& arguments, const Inputs& inputs, bool is_video) {
  const std::optional<fs::path> lines = file_of_lines(arguments);
  std::vector<fs::path> files;
  if (lines) files.push_back(*lines);
  if (is_video) files.push_back(*arguments.output);
  check_keeps(arguments.sources, files, "output would overwrite an input");
  check_keeps(inputs.images, files, "output would overwrite an input");
  check_keeps(std::vector{arguments.artifact}, files, "output would overwrite the artifact");
  if (lines) check_can_write(*lines, "{");
  if (is_video) check_can_write(*arguments.output);
}

void check(const Arguments& arguments, const Inputs& inputs, bool is_video) {
  check_makes_sense(arguments, inputs.has_frames, is_video);
  check_files(arguments, inputs, is_video);
  if (!arguments.output || is_video) return;
  check_names_a_folder(*arguments.output);
  check_output_folder(*arguments.output, {arguments.sources.begin(), arguments.sources.end()});
  if (arguments.recursive) check_lies_outside(*arguments.output, arguments.sources);
}

std::string frame_name(std::int64_t index) {
  char name[40];
  std::snprintf(name, sizeof name, "frame_%06lld.png", static_cast<long long>(index));
  return name;
}

}  // namespace

JsonLines::JsonLines(const fs::path& target) : target_(target), is_stdout_(target == stdout_name) {
  if (!is_stdout_) file_.open(target, std::ios::binary);
  if (!file_) throw cannot_write(target_, errno);
}

void JsonLines::put(const Json& line) {
  const std::string text = dump(line) + "\n";
  if (is_stdout_) return show(text);
  if (!(file_ << text << std::flush)) {
    const InputError refused = cannot_write(target_, errno);
    std::error_code error;
    fs::resize_file(target_, whole_, error);  // a part of a line is no line
    throw refused;
  }
  whole_ += text.size();
}

RunOutputs::RunOutputs(const Arguments& arguments, const Inputs& inputs)
    : arguments_(arguments),
      inputs_(inputs),
      is_video_(arguments.output && names_a_video(*arguments.output)) {
  check(arguments, inputs, is_video_);
  if (!arguments.output) return;
  if (!inputs.has_frames) choose_targets();
  if (const std::optional<fs::path> lines = file_of_lines(arguments)) {
    check_differ(*lines, is_video_ ? std::vector{*arguments.output} : targets_);
  }
}

void RunOutputs::choose_targets() {
  for (const std::string& name : label_map_names(inputs_.images, inputs_.folders)) {
    targets_.push_back(*arguments_.output / name);
  }
  check_keeps(inputs_.images, targets_, "label map would overwrite an input image");
}

void RunOutputs::open(const Manifest& manifest) {
  palette_ = manifest.model.palette;
  if (is_video_) {
    video_.emplace(*arguments_.output, palette_);
  } else if (arguments_.output) {
    std::set<fs::path> folders{*arguments_.output};
    for (const fs::path& target : targets_) folders.insert(target.parent_path());
    for (const fs::path& folder : folders) make_folder(folder);
  }
  if (!arguments_.json) return;
  lines_.emplace(*arguments_.json);
  lines_->put(head_line(arguments_.artifact, inputs_, manifest));
}

std::optional<Skipped> RunOutputs::write(const Stream::Item& item) {
  ++index_;
  const std::optional<Skipped> skipped = write_files(item);
  ++(skipped ? skipped_ : written_);
  if (lines_) {
    lines_->put(skipped ? skipped_line(index_, *skipped)
                        : result_line(index_, std::get<Result>(item), palette_.size()));
  }
  return skipped;
}

void RunOutputs::end() {
  FirstFailure failure;
  failure.note([&] {
    if (video_) video_->close();
  });
  failure.note([&] {
    if (lines_) lines_->put(end_line(written_, skipped_, inputs_.source->losses()));
  });
  if (inputs_.has_frames) tell_losses();
  failure.rethrow();
}

bool RunOutputs::nobody_reads() const {
  return !arguments_.output && *arguments_.json == stdout_name && !is_stdout_read();
}

std::string RunOutputs::said() const {
  if (!arguments_.output) {
    const fs::path& json = *arguments_.json;
    return counted(written_, "line") + " in " + (json == stdout_name ? "stdout" : json.string());
  }
  return counted(written_, is_video_ ? "frame" : "label map") + " in " +
         arguments_.output->string();
}

std::optional<Skipped> RunOutputs::write_files(const Stream::Item& item) {
  if (const auto* skipped = std::get_if<Skipped>(&item)) return *skipped;
  const auto& result = std::get<Result>(item);
  if (video_)
    video_->write(result.image, result.labels, result.time.value());
  else if (arguments_.output)
    return write_label_map_of(result);
  return std::nullopt;
}

std::optional<Skipped> RunOutputs::write_label_map_of(const Result& result) const {
  fs::path target = label_map_path();
  try {
    write_label_map(target, result.labels, palette_);
    if (arguments_.scores) write_scores(target.replace_extension(".npy"), result.scores);
  } catch (const InputError& error) {
    return Skipped{result.source, error.problem()};
  }
  return std::nullopt;
}

fs::path RunOutputs::label_map_path() const {
  if (inputs_.has_frames) return *arguments_.output / frame_name(index_);
  return targets_.at(static_cast<std::size_t>(index_ - 1));
}

void RunOutputs::tell_losses() const {
  const Losses losses = inputs_.source->losses();
  if (losses.dropped > 0 || inputs_.source->is_live()) {
    talk(counted(losses.dropped, "frame") + " dropped, that newer ones took the place of");
  }
  if (losses.broken > 0) talk(counted(losses.broken, "frame") + " could not be decoded");
  if (losses.reconnects > 0) talk("opened again " + counted(losses.reconnects, "time"));
}

}  // namespace mpm::program

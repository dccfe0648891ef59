#include "run_outputs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>

#include "console.hpp"
#include "files.hpp"
#include "frame_lines.hpp"
#include "label_maps.hpp"
#include "mpm_runner/error.hpp"
#include "score_files.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

constexpr auto stdout_name = "-";

void check_keeps_inputs(const std::vector<fs::path>& images, const fs::path& folder,
                        const std::vector<std::string>& names) {
  std::set<fs::path> inputs;
  std::error_code error;
  for (const fs::path& image : images) inputs.insert(fs::weakly_canonical(image, error));
  inputs.erase(fs::path());  // of a pipe or a link to itself: no file that could be overwritten
  for (const std::string& name : names) {
    if (inputs.contains(fs::weakly_canonical(folder / name, error))) {
      throw InputError((folder / name).string() + ": this label map would overwrite an input image",
                       "name another folder for the label maps");
    }
  }
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

void check(const Arguments& arguments) {
  if (arguments.scores && !arguments.output) {
    throw InputError("--scores: expected a folder, where class scores go beside label maps",
                     "--output FOLDER");
  }
  if (arguments.json && *arguments.json != stdout_name) check_can_write(*arguments.json);
  if (!arguments.output) return;
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
  if (!(file_ << text << std::flush)) throw cannot_write(target_, errno);
}

RunOutputs::RunOutputs(const Arguments& arguments, const Inputs& inputs)
    : arguments_(arguments), inputs_(inputs) {
  check(arguments);
  if (!arguments.output || inputs.has_frames) return;
  names_ = label_map_names(inputs.images, inputs.folders);
  check_keeps_inputs(inputs.images, *arguments.output, names_);
}

void RunOutputs::open(const Manifest& manifest) {
  palette_ = manifest.model.palette;
  if (arguments_.output) {
    std::set<fs::path> folders{*arguments_.output};
    for (const std::string& name : names_)
      folders.insert((*arguments_.output / name).parent_path());
    for (const fs::path& folder : folders) make_folder(folder);
  }
  if (!arguments_.json) return;
  lines_.emplace(*arguments_.json);
  lines_->put(head_line(arguments_.artifact, inputs_, manifest));
}

void RunOutputs::write(const Stream::Item& item) {
  ++index_;
  const std::optional<Skipped> skipped = write_files(item);
  if (skipped)
    skipped_.push_back(*skipped);
  else
    ++written_;
  if (!lines_) return;
  lines_->put(skipped ? skipped_line(index_, *skipped)
                      : result_line(index_, std::get<Result>(item), palette_.size()));
}

void RunOutputs::end() {
  const Losses losses = inputs_.source->losses();
  if (lines_) lines_->put(end_line(written_, skipped_.size(), losses));
  say_skipped(skipped_);
  if (inputs_.has_frames) tell_losses();
}

bool RunOutputs::nobody_reads() const {
  return !arguments_.output && *arguments_.json == stdout_name && !is_stdout_read();
}

std::string RunOutputs::said() const {
  if (!arguments_.output) {
    return std::to_string(written_) + " lines in " + arguments_.json->string();
  }
  return std::to_string(written_) + " label maps in " + arguments_.output->string();
}

std::optional<Skipped> RunOutputs::write_files(const Stream::Item& item) const {
  const auto* result = std::get_if<Result>(&item);
  if (result == nullptr) return std::get<Skipped>(item);
  if (!arguments_.output) return std::nullopt;
  fs::path target = *arguments_.output / label_map_name();
  try {
    write_label_map(target, result->labels, palette_);
    if (arguments_.scores) write_scores(target.replace_extension(".npy"), result->scores);
  } catch (const InputError& error) {
    return Skipped{result->source, error.problem()};
  }
  return std::nullopt;
}

std::string RunOutputs::label_map_name() const {
  return inputs_.has_frames ? frame_name(index_) : names_.at(static_cast<std::size_t>(index_ - 1));
}

void RunOutputs::tell_losses() const {
  const Losses losses = inputs_.source->losses();
  if (losses.dropped > 0 || inputs_.source->is_live()) {
    talk(std::to_string(losses.dropped) + " frames dropped, that newer ones took the place of");
  }
  if (losses.broken > 0) talk(std::to_string(losses.broken) + " frames could not be decoded");
  if (losses.reconnects > 0) talk("opened again " + std::to_string(losses.reconnects) + " times");
}

}  // namespace mpm::program

#include "run.hpp"

#include <set>

#include "files.hpp"
#include "label_maps.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "progress.hpp"
#include "score_files.hpp"
#include "signals.hpp"

namespace mpm::program {

namespace fs = std::filesystem;

namespace {

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

void write(const Result& result, const Arguments& arguments, const std::string& name,
           const std::vector<Color>& palette) {
  fs::path target = arguments.output / name;
  write_label_map(target, result.labels, palette);
  if (arguments.scores) write_scores(target.replace_extension(".npy"), result.scores);
}

}  // namespace

Written run(const Arguments& arguments) {
  check_output_folder(arguments.output, arguments.images);
  std::vector<fs::path> images;
  for (const fs::path& path : arguments.images) {
    for (fs::path& image : find_images(path)) images.push_back(std::move(image));
  }
  const std::vector<std::string> names = label_map_names(images);
  check_keeps_inputs(images, arguments.output, names);
  const Runner runner(arguments.artifact, arguments.runner);
  make_folder(arguments.output);
  Written written;
  written.is_random = runner.manifest().weights.is_random();
  Progress progress("images", images.size());
  Stream stream = runner.stream(images, arguments.batch_size, {.scores = arguments.scores});
  for (const std::string& name : names) {
    check_signals();
    const Stream::Item item = stream.next().value();
    if (const auto* result = std::get_if<Result>(&item)) {
      try {
        write(*result, arguments, name, runner.manifest().model.palette);
        ++written.label_maps;
      } catch (const InputError& error) {
        written.skipped.push_back({result->source, error.problem()});
      }
    } else {
      written.skipped.push_back(std::get<Skipped>(item));
    }
    progress.advance();
  }
  return written;
}

}  // namespace mpm::program

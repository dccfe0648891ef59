#include "arguments.hpp"

#include <CLI/CLI.hpp>

#include "exit_codes.hpp"

namespace mpm::program {

namespace {

namespace fs = std::filesystem;

const CLI::Validator is_device(
    [](const std::string& text) {
      const bool is_indexed = text.starts_with("cuda:") && text.size() > 5 && text.size() < 8 &&
                              text.find_first_not_of("0123456789", 5) == std::string::npos;
      return text == "cpu" || text == "cuda" || is_indexed
                 ? std::string()
                 : "expected cpu, cuda or cuda:1, got " + text;
    },
    "cpu|cuda|cuda:1");

const CLI::Validator is_count(
    [](const std::string& text) {
      const bool is_whole = !text.empty() && text.size() < 10 &&
                            text.find_first_not_of("0123456789") == std::string::npos;
      return is_whole && std::stoi(text) > 0 ? std::string()
                                             : "expected a whole number from 1 up, got " + text;
    },
    "N");

CLI::Option* add_number(CLI::App& app, const char* name, std::optional<int>& value,
                        const char* help) {
  return app.add_option(name, value, help)->check(is_count)->type_name("N");
}

void add_common(CLI::App& app, Arguments& arguments) {
  app.add_option("artifact", arguments.artifact, "A .pt or .pt2 from mpm-deploy build")
      ->required()
      ->type_name("ARTIFACT");
  app.add_option("folder", arguments.folder, "A folder of images, or one image")
      ->required()
      ->type_name("FOLDER");
  app.add_option("--device", arguments.runner.device, "Default: what the artifact was built for")
      ->check(is_device);
  add_number(app, "--threads", arguments.runner.threads, "Threads of the model on a CPU");
  add_number(app, "--workers", arguments.runner.workers, "Threads that decode images");
  add_number(app, "--stride", arguments.runner.stride,
             "Pixels from window to window, where the artifact slides them over images");
  add_number(app, "--limit", arguments.limit, "Only the first N images of the folder");
}

void add_bench(CLI::App& app, Arguments& arguments) {
  app.add_option("--batch", arguments.batch_sizes, "Batch sizes to measure, in images or windows")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(is_count)
      ->type_name("1,2,32");
  app.add_option("--against", arguments.against, "Another artifact: say how many times faster")
      ->type_name("ARTIFACT");
  app.add_option("--repeats", arguments.repeats, "Turns of each artifact with --against")
      ->check(is_count)
      ->type_name("R")
      ->capture_default_str();
  add_number(app, "--warmup", arguments.warmup, "Batches before timing");
  app.add_option("--output", arguments.output, "Write one label map PNG an image there")
      ->type_name("DIR");
  app.add_option("--json", arguments.json, "Write the report there")->type_name("FILE");
  const std::map<std::string, LabelSize> sizes{{"image", LabelSize::image},
                                               {"input", LabelSize::input}};
  app.add_option("--label-size", arguments.runner.label_size,
                 "Size of the label maps: image, input")
      ->transform(CLI::Transformer(sizes))
      ->check(CLI::IsMember(sizes))
      ->type_name("image|input");
}

void parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    throw Exit{app.exit(stop) == 0 ? exit_done : exit_wrong_usage};
  }
}

}  // namespace

std::vector<fs::path> chosen_images(const Arguments& arguments) {
  std::vector<fs::path> images = find_images(arguments.folder);
  const auto limit = static_cast<std::size_t>(arguments.limit.value_or(0));
  if (limit > 0 && images.size() > limit) images.resize(limit);
  return images;
}

Arguments parse_arguments(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs an artifact over a folder of images and measures it.", "cpp_runner");
  arguments.is_worker = argc > 1 && std::string(argv[1]) == "worker";
  add_common(app, arguments);
  if (arguments.is_worker) {
    parse(app, argc - 1, argv + 1);
  } else {
    app.set_version_flag("--version", "cpp_runner " MPM_VERSION " with torch " MPM_TORCH_VERSION);
    add_bench(app, arguments);
    parse(app, argc, argv);
  }
  return arguments;
}

}  // namespace mpm::program

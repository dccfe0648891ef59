#include "arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "artifact/host.hpp"
#include "console.hpp"
#include "exit_codes.hpp"

namespace mpm::program {

namespace {

const CLI::Validator is_device(
    [](const std::string& text) -> std::string {
      try {
        parse_device(text);
      } catch (const InputError& error) {
        return error.problem();
      }
      return "";
    },
    "cpu|cuda|cuda:1");

const CLI::Validator is_count(
    [](const std::string& text) -> std::string {
      int count = 0;
      const char* end = text.data() + text.size();
      const auto [stop, number] = std::from_chars(text.data(), end, count);
      const bool is_digits = text.find_first_not_of("0123456789") == std::string::npos;
      if (is_digits && number == std::errc::result_out_of_range) {
        return "expected " + std::to_string(std::numeric_limits<int>::max()) + " at most, got " +
               text;
      }
      return is_digits && stop == end && count > 0
                 ? ""
                 : "expected a whole number from 1 up, got '" + text + "'";
    },
    "N");

const CLI::Validator is_whole(
    [](const std::string& text) { return text == "0" ? std::string() : is_count(text); }, "N");

const CLI::Validator is_path(
    [](const std::string& text) -> std::string {
      return text.empty() ? "expected a path, got an empty one" : "";
    },
    "");

const CLI::Validator is_place(
    [](const std::string& text) -> std::string {
      return text.empty() ? "expected a path or an address, got an empty one" : "";
    },
    "");

const CLI::Validator is_seconds(
    [](const std::string& text) {
      char* end = nullptr;
      const double seconds = std::strtod(text.c_str(), &end);
      const bool is_right =
          end != text.c_str() && *end == '\0' && seconds > 0 && std::isfinite(seconds);
      return is_right ? std::string() : "expected seconds, above 0, got '" + text + "'";
    },
    "SECONDS");

CLI::Option* add_number(CLI::App& app, const char* name, std::optional<int>& value,
                        const char* help) {
  return app.add_option(name, value, help)->check(is_count)->type_name("N");
}

// What every command takes.
void add_runner(CLI::App& command, Arguments& arguments) {
  command
      .add_option("artifact", arguments.artifact,
                  "A .pt, .pt2, .onnx.zip or .tensorrt.zip from mpm-deploy build")
      ->required()
      ->check(is_path)
      ->type_name("ARTIFACT");
  command
      .add_option("--device", arguments.runner.device, "Default: what the artifact was built for")
      ->check(is_device);
  add_number(command, "--threads", arguments.runner.threads, "Threads of the model on a CPU");
  add_number(command, "--workers", arguments.runner.workers, "Threads that decode images");
  add_number(command, "--max-pixels", arguments.runner.max_pixels,
             "Skip images of more pixels; default: 128 million");
  add_number(command, "--stride", arguments.runner.stride,
             "Pixels from window to window, where the artifact slides them over images");
  command
      .add_option(
          "--trust", arguments.runner.trust,
          "A public key, or a folder of them, that must have signed it; default: MPM_TRUST, or "
          "/etc/mpm-deploy/trusted-keys where that exists")
      ->check(is_path)
      ->type_name("KEYS");
}

// What is timed.
void add_folder(CLI::App& command, Arguments& arguments) {
  command.add_option("folder", arguments.folder, "A folder of images, or one image")
      ->required()
      ->check(is_path)
      ->type_name("FOLDER");
  add_number(command, "--limit", arguments.limit, "Only the first N images of the folder");
}

void add_sources(CLI::App& command, Arguments& arguments) {
  command
      .add_option(
          "sources", arguments.sources,
          "Images, folders of them, patterns, - for a list of paths on stdin; or one video, "
          "address (rtsp, rtmp, http, https) or camera (/dev/video0)")
      ->required()
      ->check(is_place)
      ->type_name("SOURCE");
  command.add_flag("--recursive", arguments.recursive, "Take folders in folders too");
  command
      .add_option("--reconnect", arguments.video.reconnect,
                  "How often in a row to open a stream again that broke; default: 10")
      ->check(is_whole)
      ->type_name("N");
  command
      .add_option("--reconnect-wait", arguments.video.reconnect_wait,
                  "The longest wait before that, from 1 second doubling; default: 30")
      ->check(is_seconds)
      ->type_name("SECONDS");
  command
      .add_option("--timeout", arguments.video.timeout,
                  "A stream that gives nothing for that long broke; default: 10")
      ->check(is_seconds)
      ->type_name("SECONDS");
}

void add_run(CLI::App& command, Arguments& arguments) {
  add_runner(command, arguments);
  add_sources(command, arguments);
  command.parse_complete_callback([&arguments] {
    if (arguments.output || arguments.json) return;
    throw CLI::ValidationError("nothing is to be written",
                               "one of -o/--output and --json is required");
  });
  command
      .add_option("-o,--output", arguments.output,
                  "A folder for label maps, or of a video one with label maps over its frames")
      ->check(is_path)
      ->type_name("DIR|FILE.mp4|FILE.mkv");
  command
      .add_option("--json", arguments.json,
                  "A JSON line for each image or frame: time, share of each class, tokens kept")
      ->check(is_place)
      ->type_name("FILE|-");
  command.add_flag("--scores", arguments.scores, "Write class scores too, NAME.npy each");
  command
      .add_option("--batch", arguments.batch_size,
                  "Images or windows a call; default: one a thread of a CPU, what a GPU's "
                  "artifact takes, and of a live source one")
      ->check(is_count)
      ->type_name("N");
  const std::map<std::string, LabelSize> sizes{{"image", LabelSize::image},
                                               {"input", LabelSize::input}};
  const auto choose = [sizes, &arguments](const std::string& name) {
    arguments.runner.label_size = sizes.at(name);
  };
  command
      .add_option_function<std::string>("--label-size", choose,
                                        "Size of the label maps: image, input")
      ->check(CLI::IsMember(sizes))
      ->type_name("image|input");
}

void add_bench(CLI::App& command, Arguments& arguments) {
  add_runner(command, arguments);
  add_folder(command, arguments);
  command
      .add_option("--batch", arguments.batch_sizes, "Batch sizes to measure, in images or windows")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(is_count)
      ->type_name("1,2,32");
  add_number(command, "--warmup", arguments.warmup, "Batches before timing");
  command.add_option("--json", arguments.json, "Write the report there")
      ->check(is_path)
      ->type_name("FILE");
}

void add_worker(CLI::App& command, Arguments& arguments) {
  add_runner(command, arguments);
  add_folder(command, arguments);
  add_number(command, "--answers", arguments.answers, "The descriptor that answers go to");
}

[[noreturn]] void refuse_usage(const std::string& problem) {
  talk("error: " + problem);
  talk(
      "  hint: `cpp_runner --help` lists the commands, `cpp_runner run --help` the options of one");
  throw Exit{exit_wrong_usage};
}

// An artifact's name ends in .pt or the like; what has no ending and is not there is a command.
bool may_be_artifact(const std::string& word) {
  std::error_code error;
  const std::filesystem::path path(word);
  return word.starts_with('-') || path.has_extension() || std::filesystem::exists(path, error);
}

// The bare form: ARTIFACT FOLDER is short for bench, and with --output for run.
std::vector<std::string> with_command(std::vector<std::string> words) {
  const std::set<std::string> known{"run", "bench", "worker", "-h", "--help", "--version"};
  if (!words.empty() && known.contains(words.front())) return words;
  if (words.empty() || !may_be_artifact(words.front())) {
    refuse_usage("expected run, bench or ARTIFACT FOLDER, got " +
                 (words.empty() ? "nothing" : words.front()));
  }
  const bool is_run = std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return word.starts_with("-o") || word.starts_with("--output");
  });
  words.insert(words.begin(), is_run ? "run" : "bench");
  return words;
}

void parse(CLI::App& app, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ExtrasError&) {  // names them from the last one to the first
    refuse_usage("not expected: " + CLI::detail::join(app.remaining(true), " "));
  } catch (const CLI::ParseError& stop) {
    std::ostringstream help;
    std::ostringstream misuse;
    if (app.exit(stop, help, misuse) != 0) refuse_usage(stop.what());
    show(help.str());
    throw Exit{exit_done};
  }
}

}  // namespace

Arguments parse_arguments(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs an artifact over a folder of images, or measures it.", "cpp_runner");
  app.set_version_flag("--version", "cpp_runner " MPM_VERSION " with torch " MPM_TORCH_VERSION);
  app.footer("cpp_runner ARTIFACT FOLDER is short for bench, and with --output DIR for run.");
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Command command) {
    return app.add_subcommand(name, help)->callback([&arguments, command] {
      arguments.command = command;
    });
  };
  add_run(*add("run", "Write a label map for each image, or what is seen in a video or by a camera",
               Command::run),
          arguments);
  add_bench(*add("bench", "Measure images a second, end to end and model alone", Command::bench),
            arguments);
  add_worker(*add("worker", "Time passes on request, see worker.hpp", Command::worker)->group(""),
             arguments);
  parse(app, with_command({argv + 1, argv + argc}));
  return arguments;
}

}  // namespace mpm::program

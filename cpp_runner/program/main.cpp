// cpp_runner: an artifact over a folder of images.
//
//   arguments ─▶ label maps, with --output ─▶ bench ─▶ table on stdout, report with --json

#include <csignal>
#include <exception>
#include <iostream>

#include "arguments.hpp"
#include "bench.hpp"
#include "exit_codes.hpp"
#include "files.hpp"
#include "label_maps.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "table.hpp"
#include "worker.hpp"

namespace mpm::program {

namespace {

void print_report(const Report& report) {
  std::cout << results_table(report.results);
  if (report.comparison) {
    std::cout << '\n'
              << comparison_table(report.comparison->results) << '\n'
              << report.comparison->verdict << '\n';
  }
  std::cout << std::flush;
}

void say_what_is_missing(const Report& report) {
  for (const LeftOut& left_out : report.left_out) {
    std::cerr << "batch " << left_out.batch_size << " left out: " << left_out.reason << '\n';
  }
  const bool is_against_random =
      report.comparison && report.comparison->against.manifest.weights.is_random();
  if (report.artifact.manifest.weights.is_random() || is_against_random) {
    std::cerr << "The weights are random: speeds are real, label maps mean nothing.\n";
  }
}

void say_skipped(const std::vector<Skipped>& skipped) {
  for (const Skipped& image : skipped) {
    std::cerr << "skipped " << image.path.string() << ": " << image.reason << '\n';
  }
}

void write_output(const Arguments& arguments) {
  const Runner runner(arguments.artifact, arguments.runner);
  const std::vector<std::filesystem::path> images = chosen_images(arguments);
  const std::size_t skipped = write_label_maps(runner, images, *arguments.output).size();
  std::cerr << images.size() - skipped << " label maps in " << arguments.output->string() << '\n';
}

// Says now, not after minutes of work, that there is no such folder.
void check_can_write(const std::filesystem::path& target) {
  const std::filesystem::path folder = std::filesystem::absolute(target).parent_path();
  if (!std::filesystem::is_directory(folder)) {
    throw InputError(target.string() + ": cannot write there: no such folder",
                     "make the folder first");
  }
}

int run(const Arguments& arguments) {
  if (arguments.json) check_can_write(*arguments.json);
  if (arguments.output) write_output(arguments);
  const Report report = bench(arguments);
  print_report(report);
  say_what_is_missing(report);
  say_skipped(report.skipped);
  if (arguments.json) write_text(*arguments.json, to_json(report).dump(2) + "\n");
  return report.skipped.empty() ? exit_done : exit_skipped;
}

int fail(const std::string& problem, const std::string& hint = {}) {
  std::cerr << "error: " << problem << '\n';
  if (!hint.empty()) std::cerr << "  hint: " << hint << '\n';
  return exit_error;
}

// Every way out of the program.
int guarded_main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a worker that is gone is told as an error
  try {
    const Arguments arguments = parse_arguments(argc, argv);
    if (!arguments.is_worker) return run(arguments);
    serve(arguments, std::cin, std::cout);
    return exit_done;
  } catch (const Exit& exit) {
    return exit.code;
  } catch (const Error& error) {
    return fail(error.problem(), error.hint());
  } catch (const std::exception& error) {
    const std::string text = error.what();
    return fail("unexpected: " + text.substr(0, text.find('\n')), "please report it");
  }
}

}  // namespace

}  // namespace mpm::program

int main(int argc, char** argv) { return mpm::program::guarded_main(argc, argv); }

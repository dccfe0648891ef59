// cpp_runner: an artifact over a folder of images.
//
//               ┌─▶ run ─────▶ label maps, class scores with --scores
//   arguments ──┼─▶ bench ───▶ table on stdout, report with --json
//               └─▶ worker ──▶ answers, for mpm-deploy bench --program

#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <iostream>

#include "arguments.hpp"
#include "bench.hpp"
#include "exit_codes.hpp"
#include "files.hpp"
#include "mpm_runner/error.hpp"
#include "run.hpp"
#include "support/refusal.hpp"
#include "support/utf8.hpp"
#include "table.hpp"
#include "worker.hpp"

namespace mpm::program {

namespace {

// Files may have names that are no text.
void say(const std::string& line) { std::cerr << escaped(line) << '\n'; }

int say_skipped(const std::vector<Skipped>& skipped) {
  for (const Skipped& image : skipped) {
    say("skipped " + image.path.string() + ": " + image.reason);
  }
  return skipped.empty() ? exit_done : exit_skipped;
}

void say_random(bool is_random) {
  if (is_random) say("The weights are random: speeds are real, label maps mean nothing.");
}

// Says now, not after minutes of work, that there is no such folder.
void check_can_write(const std::filesystem::path& target) {
  const std::filesystem::path folder = std::filesystem::absolute(target).parent_path();
  if (!std::filesystem::is_directory(folder)) {
    throw InputError(target.string() + ": cannot write there: no such folder",
                     "make the folder first");
  }
}

int run_command(const Arguments& arguments) {
  const Written written = run(arguments);
  const int code = say_skipped(written.skipped);
  say_random(written.is_random);
  say(std::to_string(written.label_maps) + " label maps in " + arguments.output.string());
  return code;
}

int bench_command(const Arguments& arguments) {
  if (arguments.json) check_can_write(*arguments.json);
  const Report report = bench(arguments);
  std::cout << results_table(report.results) << std::flush;
  for (const LeftOut& left_out : report.left_out) {
    say("batch " + std::to_string(left_out.batch_size) + " left out: " + left_out.reason);
  }
  say_random(report.artifact.manifest.weights.is_random());
  if (const auto contended = contention_sentence(report.results)) say(*contended);
  if (arguments.json) write_bytes(*arguments.json, {dump(to_json(report), 2), "\n"});
  return say_skipped(report.skipped);
}

int worker_command(const Arguments& arguments) {
  serve(arguments, std::cin, std::cout);
  return exit_done;
}

int dispatch(const Arguments& arguments) {
  switch (arguments.command) {
    case Command::run:
      return run_command(arguments);
    case Command::bench:
      return bench_command(arguments);
    case Command::worker:
      return worker_command(arguments);
  }
  return exit_wrong_usage;
}

int fail(const std::string& problem, const std::string& hint = {}) {
  say("error: " + problem);
  if (!hint.empty()) say("  hint: " + hint);
  return exit_error;
}

// Has no file get the number of a standard stream that is closed: what is said would go into it.
void hold_standard_streams() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(number, F_GETFD) == -1) open("/dev/null", O_RDWR);  // takes the lowest free number
  }
}

// Every way out of the program.
int guarded_main(int argc, char** argv) {
  try {
    hold_standard_streams();
    return dispatch(parse_arguments(argc, argv));
  } catch (const Exit& exit) {
    return exit.code;
  } catch (const Error& error) {
    return fail(error.problem(), error.hint());
  } catch (const std::exception& error) {
    if (const auto told = refusal_in(error)) return fail(told->problem(), told->hint());
    const std::string text = error.what();
    return fail("unexpected: " + text.substr(0, text.find('\n')), "please report it");
  }
}

}  // namespace

}  // namespace mpm::program

int main(int argc, char** argv) { return mpm::program::guarded_main(argc, argv); }

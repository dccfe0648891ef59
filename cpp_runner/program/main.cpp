// cpp_runner: an artifact over images, videos and cameras.
//
//               ┌─▶ run ─────▶ label maps and class scores, or an overlay video; lines with --json
//   arguments ──┼─▶ bench ───▶ table on stdout, report with --json
//               └─▶ worker ──▶ answers, for mpm-deploy bench --program

#include <exception>
#include <iostream>

#include "arguments.hpp"
#include "bench.hpp"
#include "console.hpp"
#include "exit_codes.hpp"
#include "files.hpp"
#include "mpm_runner/error.hpp"
#include "run.hpp"
#include "signals.hpp"
#include "support/refusal.hpp"
#include "table.hpp"
#include "worker.hpp"

namespace mpm::program {

namespace {

void say_random(bool is_random) {
  if (is_random) talk("The weights are random: speeds are real, label maps mean nothing.");
}

int run_command(const Arguments& arguments) {
  const Written written = run(arguments);
  say_random(written.is_random);
  talk(written.said);
  return written.is_all ? exit_done : exit_skipped;
}

int bench_command(const Arguments& arguments) {
  if (arguments.json) check_can_write(*arguments.json, "{");
  const Report report = bench(arguments);
  if (arguments.json) write_bytes(*arguments.json, {dump(to_json(report), 2), "\n"});
  show(results_table(report.results));
  for (const LeftOut& left_out : report.left_out) {
    talk("left out batch " + std::to_string(left_out.batch_size) + ": " + left_out.reason);
  }
  say_random(report.artifact.manifest.weights.is_random());
  if (const auto contended = contention_sentence(report.results)) talk(*contended);
  say_skipped(report.skipped);
  return report.skipped.empty() ? exit_done : exit_skipped;
}

int worker_command(const Arguments& arguments) {
  if (arguments.answers) show_at(*arguments.answers);
  serve(arguments, std::cin);
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
  talk("error: " + problem);
  if (!hint.empty()) talk("  hint: " + hint);
  return exit_error;
}

// Every way out of the program.
int guarded_main(int argc, char** argv) {
  open_streams();
  note_signals();
  try {
    return dispatch(parse_arguments(argc, argv));
  } catch (const Exit& exit) {
    return exit.code;
  } catch (const Error& error) {
    return fail(error.problem(), error.hint());
  } catch (const std::exception& error) {
    if (const auto told = refusal_in(error)) return fail(told->problem(), told->hint());
    return fail("unexpected: " + line_of(error), "please report it");
  }
}

}  // namespace

}  // namespace mpm::program

int main(int argc, char** argv) { return mpm::program::guarded_main(argc, argv); }

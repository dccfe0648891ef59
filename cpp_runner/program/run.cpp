#include "run.hpp"

#include <iostream>

#include "console.hpp"
#include "inputs.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "progress.hpp"
#include "run_outputs.hpp"
#include "signals.hpp"

namespace mpm::program {

namespace {

// What is live grows old while a batch fills.
int batch_size(const Runner& runner, const Arguments& arguments, const Source& source) {
  return arguments.batch_size.value_or(source.is_live() ? 1 : runner.usual_batch_size());
}

void write_all(const Runner& runner, const Arguments& arguments, const Inputs& inputs,
               RunOutputs& outputs) {
  Progress progress(inputs.has_frames ? "frames" : "images", inputs.source->total());
  Stream stream = runner.stream_from(inputs.source, batch_size(runner, arguments, *inputs.source),
                                     outputs.wanted());
  while (const std::optional<Stream::Item> item = stream.next()) {
    if (const std::optional<Skipped> skipped = outputs.write(*item)) {
      progress.wipe();
      say_skipped(*skipped);
    }
    progress.advance();
    check_signals();
    if (outputs.nobody_reads()) return;
  }
  check_signals();  // that ended the source
}

}  // namespace

Written run(const Arguments& arguments) {
  const Inputs inputs = open_inputs(arguments, std::cin);
  RunOutputs outputs(arguments, inputs);
  const Runner runner(arguments.artifact, arguments.runner);
  outputs.open(runner.manifest());
  try {
    write_all(runner, arguments, inputs, outputs);
  } catch (...) {
    outputs.end();
    throw;
  }
  outputs.end();
  return {outputs.said(), outputs.is_all(), runner.manifest().weights.is_random()};
}

}  // namespace mpm::program

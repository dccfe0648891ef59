#include "bench.hpp"

#include <algorithm>
#include <utility>

#include "host_facts.hpp"
#include "passes.hpp"
#include "progress.hpp"

namespace mpm::program {

namespace {

std::string reason_left_out(const Passes& passes) {
  const std::string what = passes.windows() == passes.usable() ? "images" : "windows";
  const std::string windows = std::to_string(passes.windows());
  return "needs as many different " + what + ", and " +
         (passes.is_full() ? "at most " + windows + " are kept ready" : "there are " + windows);
}

// No window comes twice in a pass: a batch cannot be larger than what is ready.
std::vector<LeftOut> left_out_sizes(const std::vector<int>& batch_sizes, const Passes& passes) {
  std::vector<LeftOut> left_out;
  for (const int size : batch_sizes) {
    if (std::cmp_greater(size, passes.windows()))
      left_out.push_back({size, reason_left_out(passes)});
  }
  return left_out;
}

std::vector<int> fitting_sizes(const Arguments& arguments, const Passes& passes) {
  const std::vector<int>& wanted = arguments.batch_sizes;
  std::vector<int> sizes;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(sizes),
               [&](int size) { return std::cmp_less_equal(size, passes.windows()); });
  if (sizes.empty()) {
    const int least = *std::min_element(wanted.begin(), wanted.end());
    throw InputError(arguments.folder.string() + ": batch " + std::to_string(least) + " " +
                         reason_left_out(passes),
                     passes.is_full() ? "ask for a smaller --batch"
                                      : "name a folder with more images, or a smaller --batch");
  }
  return sizes;
}

Contention mean(const Contention& a, const Contention& b) {
  return {(a.others_cores + b.others_cores) / 2, (a.interruptions + b.interruptions) / 2,
          (a.throttled + b.throttled) / 2};
}

Measurement measurement(int batch_size, const Pass& warmup, const ModelPass& model,
                        const EndToEndPass& end_to_end, const Manifest& manifest) {
  const auto images = static_cast<double>(end_to_end.images());
  const double windows_an_image = static_cast<double>(end_to_end.windows()) / images;
  return {.batch_size = batch_size,
          .images = static_cast<int>(end_to_end.images()),
          .warmup_images = static_cast<int>(warmup.images),
          .end_to_end_fps = images / end_to_end.seconds,
          .model_fps = model.images / model.seconds,
          .latency_ms = percentiles(end_to_end.latencies_ms),
          .stages_ms = end_to_end.stages_ms,
          .tokens_kept = summarize_tokens(end_to_end.tokens_kept),
          .gflops = end_to_end.gflops,
          .gflops_full_token = manifest.flops_full_token() * windows_an_image / 1e9,
          .peak_memory_mib = end_to_end.peak_memory_mib,
          .contention = mean(model.contention, end_to_end.contention)};
}

}  // namespace

Report bench(const Arguments& arguments) {
  const Passes passes(arguments);
  const Model& model = passes.model();
  const std::vector<int> sizes = fitting_sizes(arguments, passes);
  const std::string device = arguments.runner.device.value_or(model.manifest().requires_.device);
  Report report{{arguments.artifact.string(), device, model.manifest()},
                host_facts(model.device()),
                {},
                left_out_sizes(arguments.batch_sizes, passes),
                {}};
  Progress progress("passes", 3 * sizes.size());
  const auto told = [&](auto pass) {
    progress.advance();
    return pass;
  };
  for (const int size : sizes) {
    const Pass warmup = told(passes.warm_up(size, arguments.warmup));
    const ModelPass model_alone = told(passes.time_model(size));
    const EndToEndPass end_to_end = told(passes.time_end_to_end(size));
    report.results.push_back(measurement(size, warmup, model_alone, end_to_end, model.manifest()));
    report.skipped = end_to_end.skipped;
  }
  return report;
}

}  // namespace mpm::program

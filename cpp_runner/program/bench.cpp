#include "bench.hpp"

#include <algorithm>

#include "host_facts.hpp"
#include "passes.hpp"
#include "progress.hpp"

namespace mpm::program {

namespace {

// No image comes twice in a pass: a batch cannot be larger than the folder.
std::vector<LeftOut> left_out_sizes(const std::vector<int>& batch_sizes, int usable) {
  std::vector<LeftOut> left_out;
  for (const int size : batch_sizes) {
    if (size <= usable) continue;
    left_out.push_back(
        {size, "needs as many different images, and there are " + std::to_string(usable)});
  }
  return left_out;
}

std::vector<int> fitting_sizes(const Arguments& arguments, int usable) {
  const std::vector<int>& wanted = arguments.batch_sizes;
  std::vector<int> sizes;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(sizes),
               [&](int size) { return size <= usable; });
  if (sizes.empty()) {
    throw InputError(arguments.folder.string() + ": expected at least " +
                         std::to_string(*std::min_element(wanted.begin(), wanted.end())) +
                         " images for a batch, got " + std::to_string(usable),
                     "name a folder with more images, or a smaller --batch");
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
  const auto usable = static_cast<int>(passes.usable());
  const std::vector<int> sizes = fitting_sizes(arguments, usable);
  const std::string device = arguments.runner.device.value_or(model.manifest().requires_.device);
  Report report{{arguments.artifact.string(), device, model.manifest()},
                host_facts(model.device()),
                {},
                left_out_sizes(arguments.batch_sizes, usable),
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

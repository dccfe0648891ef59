#include "bench.hpp"

#include <algorithm>
#include <memory>

#include "engine.hpp"
#include "host_facts.hpp"
#include "mpm_runner/error.hpp"
#include "progress.hpp"

namespace mpm::program {

namespace {

using Engines = std::vector<std::unique_ptr<Engine>>;
using Answers = std::vector<Json>;

// What one engine answered at one batch size.
struct Passes {
  int batch_size;
  Json warmup;
  Answers model;
  Answers end_to_end;
};

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

// One entry an engine.
std::vector<Passes> take_turns(const Engines& engines, int batch_size, int turns,
                               const Arguments& arguments, Progress& progress) {
  const auto ask = [&](Engine& engine, const char* pass) {
    Json answer = engine.ask(
        {{"pass", pass}, {"batch_size", batch_size}, {"batches", or_null(arguments.warmup)}});
    progress.advance();
    return answer;
  };
  std::vector<Passes> passes;
  for (const auto& engine : engines) {
    passes.push_back({batch_size, ask(*engine, "warmup"), {}, {}});
  }
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < engines.size(); ++i) {
      passes[i].model.push_back(ask(*engines[i], "model"));
      passes[i].end_to_end.push_back(ask(*engines[i], "end_to_end"));
    }
  }
  return passes;
}

std::vector<double> fps(const Answers& answers) {
  std::vector<double> values;
  for (const Json& answer : answers) {
    values.push_back(answer.at("images").get<double>() / answer.at("seconds").get<double>());
  }
  return values;
}

StageTimes mean_stages(const Answers& answers) {
  StageTimes mean;
  const double turns = static_cast<double>(answers.size());
  for (const Json& answer : answers) {
    const StageTimes stages = stages_from_json(answer.at("stages_ms"));
    mean.decode += stages.decode / turns;
    mean.fit += stages.fit / turns;
    mean.copy += stages.copy / turns;
    mean.scores += stages.scores / turns;
    mean.labels += stages.labels / turns;
  }
  return mean;
}

std::vector<double> all_latencies(const Answers& answers) {
  std::vector<double> all;
  for (const Json& answer : answers) {
    const auto latencies = answer.at("latencies_ms").get<std::vector<double>>();
    all.insert(all.end(), latencies.begin(), latencies.end());
  }
  return all;
}

// Medians and means over the turns; the latencies of all turns are one sample.
Measurement measurement(const Passes& passes, const Manifest& manifest) {
  const Json& first = passes.end_to_end.front();
  const double windows_an_image =
      first.at("windows").get<double>() / first.at("images").get<double>();
  return {.batch_size = passes.batch_size,
          .images = first.at("images").get<int>(),
          .warmup_images = passes.warmup.at("images").get<int>(),
          .end_to_end_fps = spread(fps(passes.end_to_end)).median,
          .model_fps = spread(fps(passes.model)).median,
          .latency_ms = percentiles(all_latencies(passes.end_to_end)),
          .stages_ms = mean_stages(passes.end_to_end),
          .tokens_kept = tokens_from_json(first.at("tokens_kept")),
          .gflops = first.at("gflops").get<double>(),
          .gflops_full_token = manifest.flops_full_token() * windows_an_image / 1e9,
          .peak_memory_mib = passes.end_to_end.back().at("peak_memory_mib").get<double>()};
}

// Turn by turn: what disturbs the machine for long disturbs both.
Spread ratios(const Answers& answers, const Answers& others) {
  std::vector<double> values = fps(answers);
  const std::vector<double> against = fps(others);
  for (std::size_t turn = 0; turn < values.size(); ++turn) values[turn] /= against[turn];
  return spread(values);
}

Ratio ratio(const Passes& passes, const Passes& others, const Measurement& measured,
            const Measurement& against) {
  return {.batch_size = passes.batch_size,
          .repeats = static_cast<int>(passes.model.size()),
          .model_fps_ratio = ratios(passes.model, others.model),
          .end_to_end_fps_ratio = ratios(passes.end_to_end, others.end_to_end),
          .flop_ratio = against.gflops / measured.gflops,
          .against = against};
}

std::vector<ArtifactInfo> read_artifacts(const Arguments& arguments) {
  std::vector<std::filesystem::path> paths{arguments.artifact};
  if (arguments.against) paths.push_back(*arguments.against);
  std::vector<ArtifactInfo> artifacts;
  for (const auto& path : paths) {
    const Manifest manifest = read_manifest(path);
    const std::string device = arguments.runner.device.value_or(manifest.requires_.device);
    artifacts.push_back({path.string(), device, manifest});
  }
  return artifacts;
}

HostInfo host_of(const Json& opened) {
  const Json gpu = opened.at("gpu");
  DeviceInfo device{opened.at("device").get<std::string>(), opened.at("threads").get<int>(), {}};
  if (gpu.is_string()) device.gpu = gpu.get<std::string>();
  return host_facts(device);
}

void add_to_report(const std::vector<Passes>& passes, const std::vector<ArtifactInfo>& artifacts,
                   Report& report) {
  report.results.push_back(measurement(passes[0], artifacts[0].manifest));
  if (passes.size() == 1) return;
  const Measurement against = measurement(passes[1], artifacts[1].manifest);
  report.comparison->results.push_back(ratio(passes[0], passes[1], report.results.back(), against));
}

}  // namespace

Report bench(const Arguments& arguments) {
  chosen_images(arguments);  // a folder without any is told before an artifact is opened
  const std::vector<ArtifactInfo> artifacts = read_artifacts(arguments);
  Engines engines;
  for (const ArtifactInfo& artifact : artifacts) {
    engines.push_back(std::make_unique<Engine>(artifact.path, arguments));
  }
  std::vector<Json> opened;
  for (const auto& engine : engines) opened.push_back(engine->ask({{"pass", "open"}}));

  const int usable = opened[0].at("usable").get<int>();
  const std::vector<int> sizes = fitting_sizes(arguments, usable);
  const int turns = arguments.against ? arguments.repeats : 1;
  Report report{
      artifacts[0], host_of(opened[0]), {}, left_out_sizes(arguments.batch_sizes, usable), {}, {}};
  if (arguments.against) report.comparison = Comparison{artifacts[1], {}, {}};

  Progress progress("passes",
                    sizes.size() * engines.size() * static_cast<std::size_t>(1 + 2 * turns));
  for (const int size : sizes) {
    const std::vector<Passes> passes = take_turns(engines, size, turns, arguments, progress);
    add_to_report(passes, artifacts, report);
    report.skipped = skipped_from_json(passes[0].end_to_end[0].at("skipped"));
  }
  if (report.comparison) {
    report.comparison->verdict =
        write_verdict(artifacts[0], artifacts[1], report.comparison->results);
  }
  return report;
}

}  // namespace mpm::program

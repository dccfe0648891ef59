#include "report.hpp"

#include <cstdio>
#include <functional>

namespace mpm::program {

namespace {

template <typename T>
Json list_json(const std::vector<T>& items, Json (*convert)(const T&)) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(convert(item));
  return list;
}

Json merge_weights_json(const MergeInfo& merge) {
  if (!merge.weights) return nullptr;
  const std::optional<std::string>& sha256 = merge.weights->sha256;
  return {{"origin", merge.weights->origin}, {"sha256", sha256 ? Json(*sha256) : Json()}};
}

Json artifact_json(const ArtifactInfo& artifact) {
  const Manifest& manifest = artifact.manifest;
  return {{"path", artifact.path},
          {"model", manifest.model.name},
          {"backend", manifest.requires_.backend},
          {"device", artifact.device},
          {"dtype", manifest.requires_.dtype},
          {"weights", manifest.weights.origin},
          {"merge",
           {{"method", manifest.merge.method},
            {"place", manifest.merge.place},
            {"blocks", manifest.merge.blocks},
            {"reconstruct", manifest.merge.reconstruct},
            {"options", Json::parse(manifest.merge.options)},
            {"weights", merge_weights_json(manifest.merge)}}},
          {"payload_sha256", manifest.payload_sha256}};
}

Json host_json(const HostInfo& host) {
  return {{"program", "cpp"},           {"cpu", host.cpu},          {"cores", host.cores},
          {"threads", host.threads},    {"gpu", or_null(host.gpu)}, {"os", host.os},
          {"torch", MPM_TORCH_VERSION}, {"python", nullptr},        {"mpm_deploy", MPM_VERSION},
          {"started", host.started}};
}

Json measurement_json(const Measurement& result) {
  const Percentiles& latency = result.latency_ms;
  return {
      {"batch_size", result.batch_size},
      {"images", result.images},
      {"warmup_images", result.warmup_images},
      {"end_to_end_fps", result.end_to_end_fps},
      {"model_fps", result.model_fps},
      {"latency_ms", {{"p50", latency.p50}, {"p90", latency.p90}, {"p99", or_null(latency.p99)}}},
      {"stages_ms", to_json(result.stages_ms)},
      {"tokens_kept", to_json(result.tokens_kept)},
      {"gflops", result.gflops},
      {"gflops_full_token", result.gflops_full_token},
      {"peak_memory_mib", result.peak_memory_mib}};
}

Json left_out_json(const LeftOut& left_out) {
  return {{"batch_size", left_out.batch_size}, {"reason", left_out.reason}};
}

Json spread_json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

Json ratio_json(const Ratio& ratio) {
  return {{"batch_size", ratio.batch_size},
          {"repeats", ratio.repeats},
          {"model_fps_ratio", spread_json(ratio.model_fps_ratio)},
          {"end_to_end_fps_ratio", spread_json(ratio.end_to_end_fps_ratio)},
          {"flop_ratio", ratio.flop_ratio},
          {"against", measurement_json(ratio.against)}};
}

Json comparison_json(const Comparison& comparison) {
  return {{"against", artifact_json(comparison.against)},
          {"results", list_json(comparison.results, ratio_json)},
          {"verdict", comparison.verdict}};
}

std::string two_digits(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

std::string figures(const Ratio& ratio) {
  const Spread& end_to_end = ratio.end_to_end_fps_ratio;
  return "batch " + std::to_string(ratio.batch_size) + " end to end × " +
         two_digits(end_to_end.median) + " (" + two_digits(end_to_end.min) + " to " +
         two_digits(end_to_end.max) + "), model × " + two_digits(ratio.model_fps_ratio.median) +
         " where FLOPs allow × " + two_digits(ratio.flop_ratio);
}

// "1", "1 and 2", "1, 2 and 32"
std::string listed(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) text += i + 1 == numbers.size() ? " and " : ", ";
    text += std::to_string(numbers[i]);
  }
  return text;
}

using Test = std::function<bool(const Spread&)>;

std::vector<int> batch_sizes_where(const std::vector<Ratio>& results, const Test& test) {
  std::vector<int> sizes;
  for (const Ratio& ratio : results) {
    if (test(ratio.end_to_end_fps_ratio)) sizes.push_back(ratio.batch_size);
  }
  return sizes;
}

std::string claim(const std::string& subject, const std::vector<Ratio>& results) {
  const auto gains = batch_sizes_where(results, [](const Spread& s) { return s.min > 1; });
  const auto losses = batch_sizes_where(results, [](const Spread& s) { return s.max < 1; });
  if (gains.size() == results.size()) return subject + " pays here";
  if (!gains.empty()) return subject + " pays here at batch " + listed(gains) + " only";
  if (losses.size() == results.size()) return subject + " does not pay here";
  return subject + " makes no difference here that these repeats can tell";
}

}  // namespace

std::string write_verdict(const ArtifactInfo& artifact, const ArtifactInfo& against,
                          const std::vector<Ratio>& results) {
  const bool merges =
      !artifact.manifest.merge.is_full_token() && against.manifest.merge.is_full_token();
  std::string text = claim(merges ? "Merging" : artifact.path, results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    text += (i == 0 ? ": " : "; ") + figures(results[i]);
  }
  return text + ".";
}

Json to_json(const Report& report) {
  return {{"schema", "mpm-report/2"},
          {"artifact", artifact_json(report.artifact)},
          {"host", host_json(report.host)},
          {"results", list_json(report.results, measurement_json)},
          {"left_out", list_json(report.left_out, left_out_json)},
          {"skipped", to_json(report.skipped)},
          {"comparison", report.comparison ? comparison_json(*report.comparison) : Json(nullptr)}};
}

}  // namespace mpm::program

#include "report.hpp"

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
      {"peak_memory_mib", result.peak_memory_mib},
      {"contention", to_json(result.contention)}};
}

Json left_out_json(const LeftOut& left_out) {
  return {{"batch_size", left_out.batch_size}, {"reason", left_out.reason}};
}

}  // namespace

Json to_json(const Report& report) {
  return {{"schema", "mpm-report/2"},
          {"artifact", artifact_json(report.artifact)},
          {"host", host_json(report.host)},
          {"results", list_json(report.results, measurement_json)},
          {"left_out", list_json(report.left_out, left_out_json)},
          {"skipped", to_json(report.skipped)},
          {"comparison", nullptr}};
}

}  // namespace mpm::program

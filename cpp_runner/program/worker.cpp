#include "worker.hpp"

#include <functional>
#include <istream>
#include <map>
#include <optional>

#include "console.hpp"
#include "json.hpp"
#include "passes.hpp"
#include "signals.hpp"
#include "support/quoting.hpp"
#include "support/refusal.hpp"
#include "support/strict_json.hpp"

namespace mpm::program {

namespace {

Json model_json(const ModelPass& pass) {
  return {
      {"seconds", pass.seconds}, {"images", pass.images}, {"contention", to_json(pass.contention)}};
}

Json warmup_json(const Pass& pass) {
  return {{"seconds", pass.seconds}, {"images", static_cast<int>(pass.images)}};  // whole batches
}

Json end_to_end_json(const EndToEndPass& pass) {
  return {{"seconds", pass.seconds},
          {"contention", to_json(pass.contention)},
          {"peak_memory_mib", pass.peak_memory_mib},
          {"images", pass.images()},
          {"windows", pass.windows()},
          {"latencies_ms", pass.latencies_ms},
          {"stages_ms", to_json(pass.stages_ms)},
          {"tokens_kept", to_json(summarize_tokens(pass.tokens_kept))},
          {"gflops", pass.gflops},
          {"skipped", to_json(pass.skipped)}};
}

Json opened(const Passes& passes) {
  const DeviceInfo& device = passes.model().device();
  return {{"images", passes.images()},   {"usable", passes.usable()}, {"windows", passes.windows()},
          {"is_full", passes.is_full()}, {"device", device.name},     {"threads", device.threads},
          {"gpu", or_null(device.gpu)},  {"program", "cpp"},          {"torch", MPM_TORCH_VERSION},
          {"python", nullptr},           {"mpm_deploy", MPM_VERSION}};
}

// As Python shows a value.
std::string shown_value(const Json& value) {
  if (value.is_null()) return "None";
  return value.is_string() ? "'" + value.get<std::string>() + "'" : value.dump();
}

Json answer(const Passes& passes, const Json& request) {
  const auto batch_size = [&] { return request.at("batch_size").get<int>(); };
  const auto batches = [&]() -> std::optional<int> {
    const Json wanted = request.value("batches", Json());
    if (!wanted.is_number_integer()) return std::nullopt;
    return wanted.get<int>();
  };
  const std::map<std::string, std::function<Json()>> known{
      {"open", [&] { return opened(passes); }},
      {"warmup", [&] { return warmup_json(passes.warm_up(batch_size(), batches())); }},
      {"model", [&] { return model_json(passes.time_model(batch_size())); }},
      {"end_to_end", [&] { return end_to_end_json(passes.time_end_to_end(batch_size())); }},
  };
  const auto pass = known.find(request.value("pass", ""));
  if (pass == known.end()) {
    throw InputError("pass: expected one of open, warmup, model, end_to_end, got " +
                     shortened(shown_value(request.value("pass", Json()))));
  }
  return pass->second();
}

// The name of its class in Python.
std::string kind_of(const Error& error) {
  if (dynamic_cast<const HostError*>(&error) != nullptr) return "HostError";
  if (dynamic_cast<const ArtifactError*>(&error) != nullptr) return "ArtifactError";
  if (dynamic_cast<const ModelError*>(&error) != nullptr) return "ModelError";
  if (dynamic_cast<const ImageError*>(&error) != nullptr) return "ImageError";
  if (dynamic_cast<const InputError*>(&error) != nullptr) return "InputError";
  return "MpmError";
}

Json error_json(const Error& error) {
  return {{"error", error.problem()},
          {"hint", error.hint().empty() ? Json(nullptr) : Json(error.hint())},
          {"kind", kind_of(error)}};
}

// Whatever goes wrong is an answer: the one who asked tells it.
Json answer_line(std::optional<Passes>& passes, const Arguments& arguments,
                 const std::string& line) {
  try {
    check_json(line);
    const Json request = Json::parse(line);
    if (!passes) passes.emplace(arguments);
    return answer(*passes, request);
  } catch (const Error& error) {
    return error_json(error);
  } catch (const std::exception& error) {
    if (const auto told = refusal_in(error)) return error_json(*told);
    return error_json(Error(arguments.artifact.string() + ": " + line_of(error)));
  }
}

}  // namespace

void serve(const Arguments& arguments, std::istream& requests) {
  std::optional<Passes> passes;
  for (std::string line; std::getline(requests, line);) {
    show(dump(answer_line(passes, arguments, line)) + "\n");
  }
  check_signals();
}

}  // namespace mpm::program

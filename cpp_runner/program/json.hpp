#pragma once

// JSON of what the worker's answers and the report have in common.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mpm_runner/result.hpp"
#include "statistics.hpp"
#include "support/contention.hpp"

namespace mpm::program {

// Keys in the order of the format.
using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// As text; a byte of a file's name that is not UTF-8 is "\udcXX", by which Python finds the file.
std::string dump(const Json& json, int indent = -1);

Json to_json(const Contention& contention);
Json to_json(const StageTimes& stages);
Json to_json(const TokensKept& tokens);
Json to_json(const std::vector<Skipped>& skipped);

}  // namespace mpm::program

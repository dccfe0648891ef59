#include "json.hpp"

namespace mpm::program {

Json to_json(const StageTimes& stages) {
  return {{"decode", stages.decode},
          {"fit", stages.fit},
          {"copy", stages.copy},
          {"scores", stages.scores},
          {"labels", stages.labels}};
}

Json to_json(const TokensKept& tokens) {
  return {{"mean", tokens.mean}, {"min", tokens.min}, {"max", tokens.max}};
}

Json to_json(const std::vector<Skipped>& skipped) {
  Json list = Json::array();
  for (const Skipped& image : skipped) {
    list.push_back({{"path", image.path.string()}, {"reason", image.reason}});
  }
  return list;
}

StageTimes stages_from_json(const Json& json) {
  return {json.at("decode").get<double>(), json.at("fit").get<double>(),
          json.at("copy").get<double>(), json.at("scores").get<double>(),
          json.at("labels").get<double>()};
}

TokensKept tokens_from_json(const Json& json) {
  return {json.at("mean").get<std::vector<double>>(), json.at("min").get<std::vector<int>>(),
          json.at("max").get<std::vector<int>>()};
}

std::vector<Skipped> skipped_from_json(const Json& json) {
  std::vector<Skipped> skipped;
  for (const Json& image : json) {
    skipped.push_back({image.at("path").get<std::string>(), image.at("reason").get<std::string>()});
  }
  return skipped;
}

}  // namespace mpm::program

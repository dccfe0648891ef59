#include "json.hpp"

namespace mpm::program {

Json to_json(const Contention& contention) {
  return {{"others_cores", contention.others_cores},
          {"interruptions", contention.interruptions},
          {"throttled", contention.throttled}};
}

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

}  // namespace mpm::program

#include "json.hpp"

#include <cstdio>

#include "support/utf8.hpp"

namespace mpm::program {

namespace {

// Escapes DEL and U+0080 to U+009F, which JSON allows and a terminal obeys: what is escaped for a
// terminal otherwise would be no JSON.
std::string without_controls(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("\x7f\xc2", at)) != text.npos; ++at) {
    const bool is_pair = text[at] == '\xc2';
    const auto code = static_cast<unsigned char>(text[at + (is_pair ? 1 : 0)]);
    if (code >= 0xa0) continue;
    char escape[7];
    std::snprintf(escape, sizeof escape, "\\u%04x", code);
    text.replace(at, is_pair ? 2 : 1, escape);
  }
  return text;
}

// Stands for "\udc", which the library does not write: a character that no text has.
constexpr std::string_view mark = "\uFDD0";

void mark_bytes(Json& json) {
  if (json.is_string()) json = escaped(json.get_ref<const std::string&>(), mark);
  if (!json.is_structured()) return;
  for (Json& each : json) mark_bytes(each);
}

}  // namespace

std::string dump(const Json& json, int indent) {
  Json marked = json;
  mark_bytes(marked);
  std::string text = marked.dump(indent);
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
    text.replace(at, mark.size(), "\\udc");
  }
  return without_controls(text);
}

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

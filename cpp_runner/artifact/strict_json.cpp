#include "artifact/strict_json.hpp"

#include <set>
#include <vector>

#include "artifact/schema.hpp"

namespace mpm {

namespace {

constexpr int deepest = 64;  // arrays and objects within one another

class Strictness {
 public:
  using Event = Json::parse_event_t;

  bool operator()(int depth, Event event, const Json& value) {
    if (event == Event::object_start || event == Event::array_start) {
      if (depth >= deepest) throw StructureError("", "nested too deep");
      keys_.emplace_back();
    } else if (event == Event::object_end || event == Event::array_end) {
      keys_.pop_back();
    } else if (event == Event::key && !keys_.back().insert(value.get<std::string>()).second) {
      throw StructureError("", "key " + value.dump() + " is there twice");
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

}  // namespace

Json read_json(const std::string& text) { return Json::parse(text, Strictness()); }

}  // namespace mpm

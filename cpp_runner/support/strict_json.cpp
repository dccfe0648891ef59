#include "support/strict_json.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "support/quoting.hpp"

namespace mpm {

namespace {

constexpr std::size_t deepest = 64;  // arrays and objects within one another

JsonError out_of_range(const std::string& number) {
  return JsonError(shortened(number) + " is out of range: expected whole numbers of 64 bits");
}

// Is told of a text's values as they come, and throws at the first that is not allowed.
class Checker : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }

  bool number_unsigned(number_unsigned_t number) override {
    if (number > std::numeric_limits<std::int64_t>::max()) {
      throw out_of_range(std::to_string(number));
    }
    return true;
  }

  // Whole numbers too that are too large for integers.
  bool number_float(number_float_t, const string_t& text) override {
    if (text.find_first_of(".eE") == text.npos) throw out_of_range(text);
    return true;
  }

  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      throw JsonError("key " + shown(name) + " is there twice");
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool open() {
    if (keys_.size() == deepest) {
      throw JsonError("nested too deep: more than " + std::to_string(deepest) +
                      " arrays and objects within one another");
    }
    keys_.emplace_back();
    return true;
  }

  bool close() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;  // of the arrays and objects that are open
};

}  // namespace

void check_json(const std::string& text) {
  Checker checker;
  // The parser passes over a byte order mark, and takes a zero byte for the end.
  const bool is_text = !text.starts_with("\xef\xbb\xbf") && text.find('\0') == text.npos;
  if (!is_text || !nlohmann::json::sax_parse(text, &checker)) throw JsonError("expected JSON");
}

}  // namespace mpm

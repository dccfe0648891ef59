#pragma once

// JSON read strictly into structs. A struct lists its fields once:
//
//   void list_fields(Point& point, auto& field) {
//     field("x", point.x);
//     field("y", point.y);
//     field.or_missing("name", point.name);
//   }
//
// A key that is unknown, missing or of another type is a StructureError that names it.

#include <array>
#include <concepts>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/quoting.hpp"

namespace mpm {

struct StructureError : std::runtime_error {
  StructureError(const std::string& key, const std::string& problem)
      : std::runtime_error(key.empty() ? problem : shortened(key) + ": " + problem) {}
};

using Json = nlohmann::json;

// Each may hold any other.
template <typename T>
void read_structure(const Json& json, const std::string& key, std::optional<T>& value);
template <typename T>
void read_structure(const Json& json, const std::string& key, std::vector<T>& values);
template <typename T, std::size_t N>
void read_structure(const Json& json, const std::string& key, std::array<T, N>& values);
template <typename T>
void read_structure(const Json& json, const std::string& key, std::map<std::string, T>& values);
template <typename T>
  requires std::is_class_v<T>
void read_structure(const Json& json, const std::string& key, T& value);

inline void expect(bool fits, const Json& json, const std::string& key, const char* expected) {
  if (!fits) {
    throw StructureError(key, std::string("expected ") + expected + ", got " + json.type_name());
  }
}

inline void read_structure(const Json& json, const std::string& key, std::string& value) {
  expect(json.is_string(), json, key, "a string");
  value = json.get<std::string>();
}

// Any value at all.
inline void read_structure(const Json& json, const std::string&, Json& value) { value = json; }

inline void read_structure(const Json& json, const std::string& key, double& value) {
  expect(json.is_number(), json, key, "a number");
  value = json.get<double>();
}

template <std::integral T>
void read_structure(const Json& json, const std::string& key, T& value) {
  expect(json.is_number_integer(), json, key, "an integer");
  const bool is_large =
      json.is_number_unsigned() && !std::in_range<std::int64_t>(json.get<std::uint64_t>());
  const auto number = json.get<std::int64_t>();
  if (is_large || !std::in_range<T>(number)) {
    throw StructureError(key, json.dump() + " is out of range");
  }
  value = static_cast<T>(number);
}

template <typename T>
void read_structure(const Json& json, const std::string& key, std::optional<T>& value) {
  if (json.is_null())
    value.reset();
  else
    read_structure(json, key, value.emplace());
}

template <typename T>
void read_structure(const Json& json, const std::string& key, std::vector<T>& values) {
  expect(json.is_array(), json, key, "an array");
  values.clear();
  for (const Json& item : json) {
    const std::string index = "[" + std::to_string(values.size()) + "]";
    read_structure(item, key + index, values.emplace_back());
  }
}

template <typename T, std::size_t N>
void read_structure(const Json& json, const std::string& key, std::array<T, N>& values) {
  expect(json.is_array(), json, key, "an array");
  if (json.size() != N) {
    throw StructureError(
        key, "expected " + std::to_string(N) + " items, got " + std::to_string(json.size()));
  }
  for (std::size_t i = 0; i < N; ++i) {
    read_structure(json[i], key + "[" + std::to_string(i) + "]", values[i]);
  }
}

// Any names, each with a value of one kind.
template <typename T>
void read_structure(const Json& json, const std::string& key, std::map<std::string, T>& values) {
  expect(json.is_object(), json, key, "an object");
  values.clear();
  for (const auto& [name, item] : json.items()) {
    read_structure(item, key + "." + name, values[name]);
  }
}

// Reads the fields of one object, and knows then which keys it may have.
class FieldReader {
 public:
  FieldReader(const Json& json, const std::string& key)
      : json_(json), prefix_(key.empty() ? "" : key + ".") {}

  template <typename T>
  void operator()(const std::string& name, T& field) {
    if (!json_.contains(name)) throw StructureError(prefix_ + name, "missing");
    or_missing(name, field);
  }

  // A key that need not be there; the field then stays as it is.
  template <typename T>
  void or_missing(const std::string& name, T& field) {
    known_.insert(name);
    if (json_.contains(name)) read_structure(json_[name], prefix_ + name, field);
  }

  void check_no_other() const {
    for (const auto& [name, _] : json_.items()) {
      if (!known_.contains(name)) throw StructureError(prefix_ + name, "unknown key");
    }
  }

 private:
  const Json& json_;
  const std::string prefix_;
  std::set<std::string> known_;
};

// Anything with a list_fields of its own.
template <typename T>
  requires std::is_class_v<T>
void read_structure(const Json& json, const std::string& key, T& value) {
  expect(json.is_object(), json, key, "an object");
  FieldReader field(json, key);
  list_fields(value, field);
  field.check_no_other();
}

// Any object, kept as its text.
struct JsonObject {
  std::string text;
};

inline void read_structure(const Json& json, const std::string& key, JsonObject& value) {
  expect(json.is_object(), json, key, "an object");
  value.text = json.dump();
}

}  // namespace mpm

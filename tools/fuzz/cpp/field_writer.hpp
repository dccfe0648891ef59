#pragma once

// Structs written to JSON by their list_fields, which artifact/schema.hpp reads them by.

#include "artifact/schema.hpp"

namespace mpm::fuzz {

// Each may hold any other.
Json to_json(JsonObject& value);
template <typename T>
Json to_json(std::optional<T>& value);
template <typename T>
Json to_json(std::vector<T>& values);
template <typename T, std::size_t N>
Json to_json(std::array<T, N>& values);
template <typename T>
Json to_json(std::map<std::string, T>& values);
template <typename T>
Json to_json(T& value);

class FieldWriter {
 public:
  template <typename T>
  void operator()(const std::string& name, T& field) {
    object_[name] = to_json(field);
  }

  template <typename T>
  void or_missing(const std::string& name, T& field) {
    (*this)(name, field);
  }

  const Json& object() const { return object_; }

 private:
  Json object_ = Json::object();
};

template <typename Values>
Json to_array(Values& values) {
  Json array = Json::array();
  for (auto& value : values) array.push_back(to_json(value));
  return array;
}

template <typename T>
Json to_json(std::optional<T>& value) {
  return value ? to_json(*value) : Json(nullptr);
}

template <typename T>
Json to_json(std::vector<T>& values) {
  return to_array(values);
}

template <typename T, std::size_t N>
Json to_json(std::array<T, N>& values) {
  return to_array(values);
}

template <typename T>
Json to_json(std::map<std::string, T>& values) {
  Json object = Json::object();
  for (auto& [name, value] : values) object[name] = to_json(value);
  return object;
}

inline Json to_json(JsonObject& value) { return Json::parse(value.text); }

template <typename T>
Json to_json(T& value) {
  if constexpr (std::is_constructible_v<Json, T>) {
    return Json(value);
  } else {
    FieldWriter field;
    list_fields(value, field);
    return field.object();
  }
}

}  // namespace mpm::fuzz

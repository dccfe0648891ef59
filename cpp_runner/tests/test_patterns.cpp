#include <doctest/doctest.h>

#include "patterns.hpp"
#include "support/utf8.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::program;
using namespace mpm::tests;

namespace {

bool is_match(const char* pattern, const char* name) {
  return matches(characters_of(pattern), characters_of(name));
}

}  // namespace

TEST_SUITE("files") {
  TEST_CASE("a pattern is matched by what Python's fnmatch matches") {
    const char* matching[][2] = {{"*.jpg", "a.jpg"}, {"*", ""},           {"a*b*c", "axbxbc"},
                                 {"?", "ü"},         {"?", "\xff"},       {"[a-c]", "b"},
                                 {"[!a-c]", "d"},    {"[]]", "]"},        {"[!]]", "a"},
                                 {"[a-]", "-"},      {"[--9]", "."},      {"[a-c-z]", "z"},
                                 {"[", "["},         {"[!", "[!"},        {"[äö]", "ö"},
                                 {"[[]1]", "[1]"},   {"[[:digit:]", "t"}, {"[^a]", "^"},
                                 {"[!!a]", "b"},     {"a\\b", "a\\b"},    {"**", "ab"}};
    for (const auto& [pattern, name] : matching) {
      CAPTURE(pattern);
      CHECK(is_match(pattern, name));
    }
    const char* other[][2] = {{"*.jpg", "a.jpeg"}, {"?", ""},      {"?", "ab"},     {"[a-c]", "d"},
                              {"[!a-c]", "b"},     {"[c-a]", "b"}, {"[a-c]", "ab"}, {"a", "A"},
                              {"[^a]", "b"},       {"[!!a]", "!"}, {"a*b", "abc"},  {"", "a"}};
    for (const auto& [pattern, name] : other) {
      CAPTURE(pattern);
      CHECK_FALSE(is_match(pattern, name));
    }
  }

  TEST_CASE("many stars take no longer than a few") {
    const std::string name(200, 'a');
    std::string pattern;
    for (int i = 0; i < 50; ++i) pattern += "*a";
    CHECK(is_match(pattern.c_str(), name.c_str()));
    CHECK_FALSE(is_match((pattern + "b").c_str(), name.c_str()));
  }
}

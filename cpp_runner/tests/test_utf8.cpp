#include <doctest/doctest.h>

#include "json.hpp"
#include "support/quoting.hpp"
#include "support/utf8.hpp"

using namespace mpm;

TEST_SUITE("utf8") {
  TEST_CASE("text stays as it is") {
    CHECK(escaped("") == "");
    CHECK(escaped("a \u00e9 \u20ac \U0001f600") == "a \u00e9 \u20ac \U0001f600");
  }

  TEST_CASE("bytes that are no text are escaped as Python does") {
    CHECK(escaped("b\xe9"
                  "d.jpg") == "b\\udce9d.jpg");
    CHECK(escaped("\xe2\x82") == "\\udce2\\udc82");             // cut short
    CHECK(escaped("\xc0\x80") == "\\udcc0\\udc80");             // longer than it need be
    CHECK(escaped("\xed\xa0\x80") == "\\udced\\udca0\\udc80");  // half a surrogate pair
    CHECK(escaped("\xf5\x80\x80\x80") == "\\udcf5\\udc80\\udc80\\udc80");
  }

  TEST_CASE("what a terminal obeys is escaped, as Python does") {
    CHECK(printable("a\n\tb \u00e9") == "a\n\tb \u00e9");
    CHECK(printable("\x1b[2J\x07\r\x7f") == "\\x1b[2J\\x07\\x0d\\x7f");
    CHECK(printable("\u009b31m\u202e\u2066") == "\\x9b31m\\u202e\\u2066");
    CHECK(printable(std::string("a\0b", 3)) == "a\\x00b");
    CHECK(printable("\x9b") == "\\udc9b");  // no text
    CHECK(printable("a\nb", "") == "a\\x0ab");
  }

  TEST_CASE("what is quoted is short, whole characters and printable") {
    CHECK(shown("a\x1b") == "\"a\\x1b\"");
    CHECK(shown(std::string(1000, 'a')) == '"' + std::string(57, 'a') + "...\"");
    CHECK(shortened("\u00e4\u00e4\u00e4", 6) == "\u00e4\u00e4\u00e4");
    CHECK(shortened("\u00e4\u00e4\u00e4\u00e4", 6) == "\u00e4...");
  }

  TEST_CASE("JSON holds such names as Python's does") {
    const program::Json json{{"path",
                              "b\xe9"
                              "d.jpg"},
                             {"list", {"\xff", 1, "\\udc"}}};
    CHECK(program::dump(json) == R"({"path":"b\udce9d.jpg","list":["\udcff",1,"\\udc"]})");
  }
}

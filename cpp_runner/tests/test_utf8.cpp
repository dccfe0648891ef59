#include <doctest/doctest.h>

#include "json.hpp"
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

  TEST_CASE("JSON holds such names as Python's does") {
    const program::Json json{{"path",
                              "b\xe9"
                              "d.jpg"},
                             {"list", {"\xff", 1, "\\udc"}}};
    CHECK(program::dump(json) == R"({"path":"b\udce9d.jpg","list":["\udcff",1,"\\udc"]})");
  }
}

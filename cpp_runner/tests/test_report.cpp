#include <doctest/doctest.h>

#include "measurements_made.hpp"
#include "support/utf8.hpp"

using namespace mpm;
using namespace mpm::program;
using namespace mpm::tests;

TEST_SUITE("report") {
  TEST_CASE("every key of the format, in its order") {
    Report report;
    report.artifact = make_artifact_info();
    report.host.cores = 2;
    report.results = {make_measurement()};
    report.left_out = {{64, "too few"}};
    report.skipped = {{"x.jpg", "broken"}};
    const Json json = to_json(report);
    std::vector<std::string> keys;
    for (const auto& [key, _] : json.items()) keys.push_back(key);
    CHECK(keys == std::vector<std::string>{"schema", "artifact", "host", "results", "left_out",
                                           "skipped", "comparison"});
    CHECK(json["schema"] == "mpm-report/2");
    CHECK(json["host"]["program"] == "cpp");
    CHECK(json["host"]["gpu"].is_null());
    CHECK(json["results"][0]["latency_ms"]["p99"].is_null());
    CHECK(json["results"][0]["tokens_kept"]["max"] == Json{800, 500});
    CHECK(json["results"][0]["contention"] ==
          Json{{"others_cores", 0.1}, {"interruptions", 15.0}, {"throttled", 0.0}});
    CHECK(json["left_out"][0]["batch_size"] == 64);
    CHECK(json["skipped"][0]["reason"] == "broken");
    CHECK(json["comparison"].is_null());
  }

  TEST_CASE("whatever a file is called, a terminal may show its JSON, and it is JSON then") {
    const std::string name = "c\u0085d\x7f\u009b\u00a0\u0985\u202e.png";
    const std::string text = dump({{"name", name}});
    CHECK(text.find("c\\u0085d\\u007f\\u009b\u00a0\u0985") != std::string::npos);
    CHECK(Json::parse(printable(text))["name"] == name);
    CHECK(dump({{"name", "a\xff"}}) == R"({"name":"a\udcff"})");
  }
}

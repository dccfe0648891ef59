#include <doctest/doctest.h>

#include "measurements_made.hpp"

using namespace mpm;
using namespace mpm::program;
using namespace mpm::tests;

TEST_SUITE("report") {
  TEST_CASE("every key of the format, in its order") {
    Report report;
    report.artifact = make_artifact_info("mpm");
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
    CHECK(json["left_out"][0]["batch_size"] == 64);
    CHECK(json["skipped"][0]["reason"] == "broken");
    CHECK(json["comparison"].is_null());
  }

  TEST_CASE("a verdict needs all repeats on one side of 1") {
    const ArtifactInfo merged = make_artifact_info("mpm");
    const ArtifactInfo full = make_artifact_info("none");
    const Ratio gain = make_ratio(1, {1.5, 1.4, 1.6});
    const Ratio unsure = make_ratio(2, {1.1, 0.9, 1.3});
    const Ratio loss = make_ratio(32, {0.8, 0.7, 0.9});
    CHECK(write_verdict(merged, full, {gain}) ==
          "Merging pays here: batch 1 end to end × 1.50 (1.40 to 1.60), model × 1.90 where FLOPs "
          "allow × 2.00.");
    CHECK(write_verdict(merged, full, {gain, unsure})
              .starts_with("Merging pays here at batch 1 only: "));
    CHECK(write_verdict(merged, full, {unsure}).starts_with("Merging makes no difference here"));
    CHECK(write_verdict(merged, full, {loss}).starts_with("Merging does not pay here: "));
    CHECK(write_verdict(full, merged, {loss}).starts_with("a.pt does not pay here: "));
  }

  TEST_CASE("the worker's numbers survive the pipe") {
    const Measurement sent = make_measurement();
    CHECK(stages_from_json(to_json(sent.stages_ms)).total() == 15);
    CHECK(tokens_from_json(to_json(sent.tokens_kept)).mean == sent.tokens_kept.mean);
    CHECK(skipped_from_json(to_json(std::vector<Skipped>{{"a", "b"}}))[0].reason == "b");
  }
}

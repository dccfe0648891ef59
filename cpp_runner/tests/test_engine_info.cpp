// Which engines a machine runs, case by case: tests/backends/tensorrt/cases.json, which Python's
// tests read too.

#include <doctest/doctest.h>

#include <fstream>

#include "artifact_made.hpp"
#include "backends/engine_info.hpp"
#include "mpm_runner/error.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

Json read_cases(const char* kind) {
  std::ifstream file(MPM_ENGINE_CASES);
  return Json::parse(file).at(kind);
}

EngineInfo engine_in(const Json& json) {
  return {json.at("flavor"), json.at("version"), json.at("capability"), json.at("machine"),
          json.at("bytes")};
}

std::vector<EngineInfo> engines_in(const Json& one) {
  std::vector<EngineInfo> engines;
  for (const Json& engine : one.at("engines")) engines.push_back(engine_in(engine));
  return engines;
}

Here here_in(const Json& one) {
  const Json& here = one.at("here");
  return {here.at("capability"), here.at("machine"), here.at("versions")};
}

HostError refusal_of(const Json& one, const std::string& missing = {}) {
  Here here = here_in(one);
  here.missing = missing;
  try {
    choose(engines_in(one), here, "a.tensorrt.zip");
  } catch (const HostError& error) {
    return error;
  }
  return HostError("nothing was refused");
}

// What a manifest lists whose one engine is as it should be, but for what a case sets.
std::vector<EngineInfo> read_back(const Json& set) {
  Json engine = Json::parse(R"({"flavor": "tensorrt_rtx", "version": "1.7.1.116",
    "capability": [8, 6], "machine": "x86_64", "bytes": [5, 6, 7], "agreement": 0.25})");
  engine.update(set.value("engine", Json::object()));
  Json manifest = make_manifest();
  manifest["requires"]["details"] = {{"engines", set.value("engines", Json::array({engine}))}};
  const TemporaryFolder folder;
  write_artifact(folder / "a.tensorrt.zip", manifest);
  return engines_of("a.tensorrt.zip", read_manifest(folder / "a.tensorrt.zip"));
}

std::string problem_of(const Json& set) {
  try {
    read_back(set);
    return "";
  } catch (const ArtifactError& error) {
    return error.problem();
  }
}

}  // namespace

TEST_SUITE("engine_info") {
  TEST_CASE("a machine that no engine is for is told how to make one") {
    for (const Json& one : read_cases("machines")) {
      CAPTURE(one["what"]);
      const HostError error = refusal_of(one);
      CHECK(error.problem() == "a.tensorrt.zip: " + one["problem"].get<std::string>());
      CHECK(error.hint() == one["hint"].get<std::string>());
    }
  }

  TEST_CASE("why there is no library is told, where that is known") {
    for (const Json& one : read_cases("machines")) {
      if (!one["here"]["versions"].empty()) continue;
      const std::string expected =
          "a.tensorrt.zip: " + one["problem"].get<std::string>() + ": it is gone";
      CHECK(refusal_of(one, "it is gone").problem() == expected);
    }
  }

  TEST_CASE("the engine that fits is chosen") {
    for (const Json& one : read_cases("chosen")) {
      CAPTURE(one["what"]);
      const std::vector<EngineInfo> engines = engines_in(one);
      CHECK(choose(engines, here_in(one), "a") == engines.at(one["chosen"].get<std::size_t>()));
    }
  }

  TEST_CASE("what a manifest lists comes through") {
    const EngineInfo engine = read_back(Json::object()).at(0);
    CHECK(engine.capability == std::array{8, 6});
    CHECK(engine.bytes == std::vector<std::int64_t>{5, 6, 7});
    CHECK(engine.agreement == 0.25);
    CHECK(engine.folder() == "engines/tensorrt_rtx-1.7.1.116-8.6-x86_64");
    CHECK(engine.library() == "TensorRT for RTX 1.7.1.116");
    CHECK(read_back({{"engines", Json::array()}}).empty());
    const Json never_run{{"engine", {{"agreement", nullptr}}}};
    CHECK_FALSE(read_back(never_run).at(0).agreement);
  }

  TEST_CASE("a manifest without a list has no engine") {
    const TemporaryFolder folder;
    write_artifact(folder / "a.pt", make_manifest());
    CHECK(engines_of("a.pt", read_manifest(folder / "a.pt")).empty());
  }

  TEST_CASE("a version as long as a manifest bears is read") {
    const std::string version(1 << 19, '1');
    CHECK(read_back({{"engine", {{"version", version}}}}).at(0).version == version);
    CHECK(problem_of({{"engine", {{"version", version + "/"}}}}) != "");
  }

  TEST_CASE("what a manifest lists is read strictly") {
    for (const Json& one : read_cases("manifests")) {
      CAPTURE(one["what"]);
      const std::string problem = problem_of(one["set"]);
      CAPTURE(problem);
      CHECK(problem.starts_with("a.tensorrt.zip: manifest: " + one["refused"].get<std::string>()));
    }
  }
}

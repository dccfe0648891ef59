// The grammar of artifacts, case by case: tests/artifact/cases.json, which Python's tests read too.

#include <doctest/doctest.h>

#include <fstream>

#include "artifact/archive.hpp"
#include "artifact_made.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

const Json version{{"name", "root/version"}, {"text", "3\n"}};

Json read_cases(const char* kind) {
  std::ifstream file(MPM_CASES);
  return Json::parse(file).at(kind);
}

template <typename Read>
std::string problem_of(const Read& read) {
  try {
    read();
    return "";
  } catch (const ArtifactError& error) {
    return error.problem();
  }
}

void check_case(const Json& one, const std::string& problem) {
  CAPTURE(one["what"]);
  CAPTURE(problem.substr(0, 1000));
  if (one["refused"].is_null()) {
    CHECK(problem.empty());
  } else {
    CHECK(problem.find(one["refused"].get<std::string>()) != std::string::npos);
  }
}

// The manifest's record: all of it as the case says, or what it changes in another.
Json manifest_record(const Json& one, const std::string& sha256) {
  Json record{{"name", "root/extra/mpm_manifest.json"}};
  if (one.contains("hex")) {
    record["hex"] = one["hex"];
    return record;
  }
  std::string text;
  if (one.contains("text")) {
    for (int times = one.value("times", 1); times > 0; --times) {
      text += one["text"].get_ref<const std::string&>();
    }
  } else {
    Json manifest = make_manifest();
    manifest["payload_sha256"] = sha256;
    const Json set = one.value("set", Json::object());
    for (const auto& [pointer, value] : set.items()) manifest[Json::json_pointer(pointer)] = value;
    const std::string own = manifest["recipe"].dump();
    text = manifest.dump();
    text.replace(text.find(own), own.size(), one.value("recipe", own));
  }
  record["text"] = text;
  return record;
}

}  // namespace

TEST_SUITE("cases") {
  TEST_CASE("an archive is taken or refused") {
    for (const Json& one : read_cases("archives")) {
      const TemporaryFolder folder;
      Json records = one["records"];
      records.insert(records.begin(), version);
      write_records(folder / "a.pt", records);
      check_case(one, problem_of([&] { Archive(folder / "a.pt").payload_sha256(); }));
    }
  }

  TEST_CASE("a manifest is taken or refused") {
    for (const Json& one : read_cases("manifests")) {
      const TemporaryFolder folder;
      write_records(folder / "a.pt", Json::array({version}));
      const std::string sha256 = Archive(folder / "a.pt").payload_sha256();
      write_records(folder / "a.pt", Json::array({version, manifest_record(one, sha256)}));
      check_case(one, problem_of([&] { read_manifest(folder / "a.pt"); }));
    }
  }
}

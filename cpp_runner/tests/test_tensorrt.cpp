#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "artifact_made.hpp"
#include "backends/program.hpp"
#include "backends/tensorrt_library.hpp"
#include "mpm_runner/error.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// What refuses an artifact for TensorRT on a device.
HostError refusal_on(const char* device, const Json& needs) {
  Json manifest = make_manifest();
  manifest["requires"].update({{"backend", "tensorrt"}, {"device", "cuda"}});
  manifest["requires"].update(needs);
  const TemporaryFolder folder;
  write_artifact(folder / "a.tensorrt.zip", manifest);
  try {
    check_host_of("a.tensorrt.zip", read_manifest(folder / "a.tensorrt.zip"), parse_device(device));
  } catch (const HostError& error) {
    return error;
  }
  return HostError("nothing was refused");
}

}  // namespace

TEST_SUITE("tensorrt") {
  TEST_CASE("on a CPU segments in bfloat16 are left to the program that widens them") {
    const HostError error = refusal_on("cpu", {{"dtype", "bfloat16"}});
    CHECK(error.problem().starts_with("a.tensorrt.zip: its segments are in bfloat16, of which"));
    CHECK(error.hint().find("`mpm-deploy run`") != std::string::npos);
  }

  TEST_CASE("what it asks of a host is known, and nothing else") {
    const auto refusal_of = [](const Json& details) {
      return refusal_on("cpu", {{"dtype", "bfloat16"}, {"details", details}}).problem();
    };
    CHECK(refusal_of({{"rows", 25}, {"engines", Json::array()}}).find("bfloat16") !=
          std::string::npos);
    CHECK(refusal_of({{"providers", Json::array()}}) ==
          "a.tensorrt.zip: needs providers, which backend \"tensorrt\" does not know");
  }

  TEST_CASE("where there is no GPU the CPU is offered") {
    const HostError error = refusal_on("cuda:9", Json::object());
    CHECK(error.problem().find("asked to run on 'cuda:9'") != std::string::npos);
    const bool is_offered = error.hint().ends_with("or run it on device 'cpu'");
    CHECK((is_offered || error.hint() == "name one of those"));
  }

  TEST_CASE("what cannot be opened is told with the cure of what was to open it") {
    const auto hint_of = [](const Engine& engine) -> std::string {
      const TemporaryFolder folder;
      write_artifact(folder / "a.zip", make_manifest());
      const auto open = []() -> std::shared_ptr<void> { throw std::runtime_error("damaged"); };
      try {
        told_of("a.zip", read_manifest(folder / "a.zip"), open, engine)();
      } catch (const ArtifactError& error) {
        CHECK(error.problem() == "a.zip: TensorRT 10.9.0.34 cannot load it: damaged");
        return error.hint();
      }
      return "nothing was refused";
    };
    const std::string anew = "make its engine anew: mpm-deploy engine a.zip";
    CHECK(hint_of({"TensorRT 10.9.0.34", "install that", anew}) == anew);
    CHECK(hint_of({"TensorRT 10.9.0.34", "install that"}).ends_with("or install that"));
  }

  // It is opened once a process: no other test asks for it.
  TEST_CASE("a library that is not there is named, or the headers that were not") {
    setenv("MPM_TENSORRT_LIBRARY", "/nowhere/libnvinfer.so", 1);
    try {
      const TensorRtLibrary& library = tensorrt_library("a.tensorrt.zip");
      CHECK(library.versions.empty());
      CHECK(library.missing.starts_with("/nowhere/libnvinfer.so: "));
    } catch (const HostError& error) {
      CHECK(error.problem() == "a.tensorrt.zip: this program was built without TensorRT");
      CHECK(error.hint().find("-DMPM_TENSORRT=ON") != std::string::npos);
    }
    unsetenv("MPM_TENSORRT_LIBRARY");
  }
}

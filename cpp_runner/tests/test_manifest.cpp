#include <doctest/doctest.h>

#include "artifact_made.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

Manifest read_back(const Json& manifest) {
  const TemporaryFolder folder;
  write_artifact(folder / "a.pt", manifest);
  return read_manifest(folder / "a.pt");
}

std::string problem_of(const Json& manifest) {
  try {
    read_back(manifest);
    return "";
  } catch (const ArtifactError& error) {
    return error.problem();
  }
}

}  // namespace

TEST_SUITE("manifest") {
  TEST_CASE("every value comes through") {
    const Manifest manifest = read_back(make_manifest());
    CHECK(manifest.model.classes == std::vector<std::string>{"sky", "road"});
    CHECK(manifest.model.palette[1] == Color{128, 64, 128});
    CHECK(manifest.weights.is_random());
    CHECK_FALSE(manifest.weights.sha256);
    CHECK(manifest.merge.blocks == std::vector<int>{2, 5});
    CHECK(manifest.batch.max == 64);
    CHECK(manifest.requires_.backend == "torchscript");
    CHECK(manifest.requires_.versions.at("torch") == "2.15.0");
    CHECK(manifest.output_index("merge_maps") == 1);
    CHECK_FALSE(manifest.requires_.cuda_capability);
    CHECK(manifest.patches() == 4);
  }

  TEST_CASE("what later writers may say is read: any backend, place, option, version and output") {
    Json manifest = make_manifest();
    manifest["requires"].update({{"backend", "tensorrt"}, {"dtype", "int8"}});
    manifest["requires"]["versions"]["tensorrt"] = "10.3";
    manifest["requires"]["details"] = {{"workspace_mib", 64}};
    manifest["merge"].update({{"place", "input"}, {"options", {{"ratio", 0.5}}}});
    manifest["merge"]["weights"] = {{"origin", "policy.safetensors"}, {"sha256", "ab"}};
    manifest["outputs"][0]["shape"] = {2, 8, 8};  // a head that upsamples by 4
    manifest["outputs"].push_back({{"name", "masks"}, {"dtype", "float16"}, {"shape", {100}}});
    const Manifest read = read_back(manifest);
    CHECK(read.requires_.details == std::map<std::string, std::string>{{"workspace_mib", "64"}});
    CHECK(read.merge.weights->origin == "policy.safetensors");
    CHECK(read.outputs[0].shape == std::vector<std::int64_t>{2, 8, 8});
    CHECK(read.outputs[2].name == "masks");
  }

  TEST_CASE("FLOPs: constant + sum of (linear t + quadratic t^2)") {
    const Manifest manifest = read_back(make_manifest());
    CHECK(manifest.flops_at({3, 2}) == 100 + (40 + 16) + (60 + 18) + (60 + 12));
    CHECK(manifest.flops_full_token() == 100 + (40 + 16) + (80 + 32) + (120 + 48));
  }

  TEST_CASE("a newer or foreign format is refused before anything else") {
    Json manifest = make_manifest();
    manifest["format"] = "mpm-artifact/3";
    manifest.erase("model");
    CHECK(problem_of(manifest).ends_with(
        "expected format \"mpm-artifact/2\", got \"mpm-artifact/3\""));
    manifest["format"] = "mpm-artifact/1";
    CHECK(problem_of(manifest).ends_with(
        "written in format \"mpm-artifact/1\", which is not run any more"));
    manifest.erase("format");
    CHECK(problem_of(manifest).ends_with("got null"));
    CHECK(problem_of(Json::array()).ends_with("got null"));
  }

  TEST_CASE("every key must be there, and no other") {
    const Json manifest = make_manifest().flatten();
    for (const auto& [pointer, value] : manifest.items()) {
      Json without = make_manifest();
      const Json::json_pointer key(pointer);
      Json& owner = without[key.parent_pointer()];
      if (!owner.is_object() || pointer.starts_with("/recipe") || pointer == "/format" ||
          pointer.starts_with("/requires/versions"))
        continue;
      owner.erase(key.back());
      CAPTURE(pointer);
      CHECK(problem_of(without).find("missing") != std::string::npos);
    }
    Json more = make_manifest();
    more["input"]["depth"] = 3;
    CHECK(problem_of(more).ends_with("manifest: input.depth: unknown key"));
  }

  TEST_CASE("a value of another type, or out of range, is named by its key") {
    const auto problem_with = [](const char* pointer, const Json& value) {
      Json manifest = make_manifest();
      manifest[Json::json_pointer(pointer)] = value;
      return problem_of(manifest);
    };
    CHECK(problem_with("/input/height", "32")
              .ends_with("input.height: expected an integer, got string"));
    CHECK(problem_with("/input/height", 1.5).find("input.height") != std::string::npos);
    CHECK(problem_with("/input/height", 0).find("input") != std::string::npos);
    CHECK(problem_with("/input/height", 5000000000).find("out of range") != std::string::npos);
    CHECK(problem_with("/model/palette/1/2", 256).find("model.palette[1][2]") != std::string::npos);
    CHECK(problem_with("/input/mean", {1, 2}).find("input.mean: expected 3 items") !=
          std::string::npos);
    CHECK(problem_with("/requires/versions", {{"torch", 2}}).find("requires.versions.torch") !=
          std::string::npos);
    CHECK(problem_with("/outputs/1/name", "scores").find("names that differ") != std::string::npos);
    CHECK(problem_with("/outputs/0/name", "logits").find("\"scores\" of") != std::string::npos);
    CHECK(problem_with("/outputs/0/shape", {3, 2, 2}).find("\"scores\" of") != std::string::npos);
    CHECK(problem_with("/outputs/1/shape", {2, 5}).find("\"merge_maps\" of") != std::string::npos);
    CHECK(problem_with("/outputs/0/dtype", "float16").find("in float32") != std::string::npos);
    CHECK(problem_with("/outputs/0/kind", "sure").find("kind \"logits\" or") != std::string::npos);
    CHECK(problem_with("/special", 1).find("unknown key") != std::string::npos);
    CHECK(problem_with("/model/special_tokens", 18446744073709551615U).find("out of range") !=
          std::string::npos);
    CHECK(problem_with("/model/special_tokens", -1).find("counts from 0") != std::string::npos);
    CHECK(problem_with("/model/patch_size", 33).find("model.patch_size") != std::string::npos);
    CHECK(problem_with("/merge/blocks", {5, 2}).find("rising indices") != std::string::npos);
    CHECK(problem_with("/merge/blocks", {-1, 2}).find("from 0 up") != std::string::npos);
    CHECK(problem_with("/agreement/clusters", {1.0}).find("one a merge") != std::string::npos);
    CHECK(problem_with("/input/height", 2147483647).find("pixels at most") != std::string::npos);
    CHECK(problem_with("/batch/min", 0).find("batch") != std::string::npos);
    CHECK(problem_with("/recipe", 7).find("recipe: expected an object") != std::string::npos);
    CHECK(problem_with("/flops/stages", Json::array()).find("flops.stages") != std::string::npos);
  }

  TEST_CASE("what a parser would take is refused: deep nesting, a key twice, no number") {
    const auto problem_of_text = [](const std::string& recipe) {
      const TemporaryFolder folder;
      std::string text = make_manifest().dump();
      const std::string own = "\"recipe\":";
      text.insert(text.find(own) + own.size(), recipe + ",\"rest\":");
      write_zip(folder / "a.pt", {{"root/version", "3\n"}, {"root/extra/mpm_manifest.json", text}});
      try {
        read_manifest(folder / "a.pt");
        return std::string();
      } catch (const ArtifactError& error) {
        return error.problem();
      }
    };
    CHECK(problem_of_text(std::string(100'000, '[')).find("nested too deep") != std::string::npos);
    CHECK(problem_of_text("{\"a\":1,\"a\":2}").find("is there twice") != std::string::npos);
    CHECK(problem_of_text("NaN").find("not JSON") != std::string::npos);
    CHECK(problem_of_text("1e999").find("not JSON") != std::string::npos);
    CHECK(problem_of_text("\"\\ud800\"").find("not JSON") != std::string::npos);
    CHECK(problem_of_text("{}").find("unknown key") != std::string::npos);
  }

  TEST_CASE("the kind of the scores may be missing, and they are logits then") {
    Json manifest = make_manifest();
    CHECK(read_back(manifest).score_kind() == "logits");
    for (const char* kind : {"logits", "probabilities"}) {
      manifest["outputs"][0]["kind"] = kind;
      CHECK(read_back(manifest).score_kind() == kind);
    }
  }

  TEST_CASE("patches reach beyond an input that is not whole ones") {
    Json manifest = make_manifest();
    manifest["model"]["patch_size"] = 15;  // of 32 pixels
    manifest["outputs"][1]["shape"] = {2, 9};
    CHECK(read_back(manifest).patches() == 9);
  }

  TEST_CASE("how windows slide is there with fit slide, and only then") {
    const Json keys{{"fit", "slide"}, {"stride", 20}, {"short_side", 40}, {"max_ratio", 2.5}};
    const auto input_with = [&](const char* key, const Json& value) {
      Json manifest = make_manifest();
      manifest["input"].update(keys);
      manifest["input"][key] = value;
      return manifest;
    };
    const InputInfo input = read_back(input_with("stride", 20)).input;
    CHECK(input.stride == 20);
    CHECK(input.short_side == 40);
    CHECK(input.max_ratio == 2.5);
    CHECK_FALSE(read_back(make_manifest()).input.stride);
    for (const auto& [key, value] : {std::pair<const char*, Json>{"stride", 33},
                                     {"stride", nullptr},
                                     {"stride", 1.5},
                                     {"short_side", 0},
                                     {"max_ratio", 0.5},
                                     {"max_ratio", nullptr}}) {
      CAPTURE(key);
      CHECK(problem_of(input_with(key, value)).find(key) != std::string::npos);
    }
    CHECK(problem_of(input_with("fit", "resize")).find("input.stride") != std::string::npos);
    CHECK(problem_of(input_with("fit", "slide_evenly")).find("input.stride") != std::string::npos);
    Json evenly = make_manifest();
    evenly["input"]["fit"] = "slide_evenly";
    CHECK(read_back(evenly).input.fit == "slide_evenly");
    CHECK(problem_of(input_with("fit", "crop")).find("input.fit") != std::string::npos);
  }

  TEST_CASE("another hash than the payload's is refused") {
    Json manifest = make_manifest();
    manifest["payload_sha256"] = std::string(64, '0');
    CHECK(problem_of(manifest).ends_with("changed since it was built: its hash differs"));
  }
}

// A file that is replaced while it is being opened: nothing runs that was not checked.

#include <doctest/doctest.h>

#include "artifact/archive.hpp"
#include "artifact/claimed_manifest.hpp"
#include "artifact_made.hpp"
#include "artifacts.hpp"
#include "backends/program.hpp"
#include "mpm_runner/mpm_runner.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// A copy of an artifact, and another artifact beside it.
struct Files {
  explicit Files(const fs::path& artifact)
      : file(folder / artifact.filename().string()), other(folder / "other") {
    fs::copy_file(artifact, file);
    write_artifact(other, make_manifest());
  }

  TemporaryFolder folder;
  fs::path file;
  fs::path other;
};

void by_another_name(const Files& files) { fs::rename(files.other, files.file); }

void written_over(const Files& files) {
  fs::copy_file(files.other, files.file, fs::copy_options::overwrite_existing);
}

constexpr auto ways = {by_another_name, written_over};

std::unique_ptr<Program> load(const fs::path& file, const Manifest& manifest) {
  return load_program(file, manifest, parse_device("cpu"), 1);
}

}  // namespace

TEST_SUITE("replaced_file") {
  TEST_CASE("what is opened is what was checked") {
    for (const fs::path& artifact : test_artifacts()) {
      for (const auto replace : ways) {
        const Files files(artifact);
        const Manifest manifest = read_claimed_manifest(files.file, {});
        replace(files);
        CHECK_THROWS_WITH_AS(load(files.file, manifest),
                             doctest::Contains("changed since it was built: its hash differs"),
                             ArtifactError);
        CHECK(Runner(artifact, {.threads = 1}).model().check_sample() >= 0.999);
      }
    }
  }

  TEST_CASE("a file is checked also where its payload is open") {
    for (const fs::path& artifact : test_artifacts()) {
      const Runner open(artifact, {.threads = 1});
      for (const auto replace : ways) {
        const Files files(artifact);
        replace(files);
        CHECK_THROWS_WITH_AS(load(files.file, open.manifest()),
                             doctest::Contains("its hash differs"), ArtifactError);
      }
    }
  }

  TEST_CASE("a checked copy stays what it was") {
    for (const fs::path& artifact : test_artifacts()) {
      const std::string hash = read_manifest(artifact).payload_sha256;
      for (const auto replace : ways) {
        const Files files(artifact);
        std::istringstream copy = copy_checked(files.file, hash);
        replace(files);
        CHECK(Archive(files.file, copy).payload_sha256() == hash);
        CHECK_THROWS_AS(copy_checked(files.file, hash), ArtifactError);
      }
    }
  }

  TEST_CASE("what is unpacked is checked as it is read") {
    const TemporaryFolder folder;
    write_artifact(folder / "a.pt", make_manifest());
    const Archive archive(folder / "a.pt");
    const auto target_of = [&](const std::string& name) -> std::optional<fs::path> {
      if (name != "data.pkl") return std::nullopt;
      return folder / "unpacked";
    };
    archive.unpack_checked(archive.payload_sha256(), target_of);
    CHECK(read_bytes(folder / "unpacked").size() == std::string("nothing to run").size());
    CHECK_THROWS_WITH_AS(archive.unpack_checked(std::string(64, '0'), target_of),
                         doctest::Contains("its hash differs"), ArtifactError);
  }
}

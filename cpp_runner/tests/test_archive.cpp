#include <doctest/doctest.h>

#include <random>

#include "artifact/archive.hpp"
#include "artifact/sha256.hpp"
#include "artifact_made.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// Anything but an ArtifactError gets through.
std::string hash_or_refused(const fs::path& path) {
  try {
    return read_manifest(path).payload_sha256;
  } catch (const ArtifactError&) {
    return "refused";
  }
}

}  // namespace

TEST_SUITE("archive") {
  TEST_CASE("records are found by their names without the top folder") {
    const TemporaryFolder folder;
    write_artifact(folder / "a.pt", make_manifest());
    const Archive archive(folder / "a.pt");
    CHECK(archive.read("data.pkl", 100) == "nothing to run");
    CHECK(archive.read(Archive::sample_labels, 32 * 32).size() == 32 * 32);
    CHECK_THROWS_WITH_AS(archive.read("data", 100), doctest::Contains("holds no data"),
                         ArtifactError);
    CHECK_THROWS_WITH_AS(archive.read("code/model.py", 100),
                         doctest::Contains("expected 100 bytes at most, got 3000"), ArtifactError);
  }

  TEST_CASE("cut off anywhere, a file is refused") {
    const TemporaryFolder folder;
    write_artifact(folder / "a.pt", make_manifest());
    const FileBytes file = read_bytes(folder / "a.pt");
    for (std::size_t size = 0; size < file.size(); size += 97) {
      write_bytes(folder / "cut.pt", std::span(file).first(size));
      CHECK_THROWS_AS(read_manifest(folder / "cut.pt"), ArtifactError);
    }
  }

  TEST_CASE("flipped bits in a record change the hash; elsewhere they never do more than refuse") {
    const TemporaryFolder folder;
    write_artifact(folder / "a.pt", make_manifest());
    const FileBytes file = read_bytes(folder / "a.pt");
    const std::string hash = read_manifest(folder / "a.pt").payload_sha256;
    std::mt19937 random(7);
    for (int trial = 0; trial < 500; ++trial) {
      FileBytes flipped = file;
      flipped[random() % file.size()] ^= static_cast<std::uint8_t>(1 << random() % 8);
      write_bytes(folder / "flipped.pt", flipped);
      const std::string read = hash_or_refused(folder / "flipped.pt");
      CHECK((read == hash || read == "refused"));  // equal where the bit means nothing
    }
  }

  TEST_CASE("the hash is over sorted names, sizes and bytes of all but the manifest") {
    const TemporaryFolder folder;
    write_zip(folder / "a.pt", {{"root/version", "3"},
                                {"root/b", "two"},
                                {"root/a", "1"},
                                {"root/extra/mpm_manifest.json", "{}"}});
    const char* text =
        "a\0\1\0\0\0\0\0\0\0"
        "1"
        "b\0\3\0\0\0\0\0\0\0"
        "two"
        "version\0\1\0\0\0\0\0\0\0"
        "3";
    Sha256 hash;
    hash.update(text, 11 + 13 + 17);
    CHECK(Archive(folder / "a.pt").payload_sha256() == hash.hex_digest());
  }

  TEST_CASE("two top folders, or two records of one name, are refused") {
    const TemporaryFolder folder;
    write_zip(folder / "two.pt", {{"root/version", "3"}, {"other/a", "1"}});
    CHECK_THROWS_AS(Archive(folder / "two.pt"), ArtifactError);
    write_zip(folder / "twice.pt", {{"root/version", "3"}, {"root/a", "1"}, {"root/a", "2"}});
    CHECK_THROWS_WITH_AS(Archive(folder / "twice.pt"), doctest::Contains("one name"),
                         ArtifactError);
  }

  TEST_CASE("what is no zip, and what is not there, is named") {
    const TemporaryFolder folder;
    write_bytes(folder / "text.pt", FileBytes{'h', 'e', 'l', 'l', 'o'});
    write_bytes(folder / "empty.pt", FileBytes{});
    CHECK_THROWS_WITH_AS(Archive(folder / "text.pt"), doctest::Contains("not an artifact"),
                         ArtifactError);
    CHECK_THROWS_WITH_AS(Archive(folder / "empty.pt"), doctest::Contains("not an artifact"),
                         ArtifactError);
    CHECK_THROWS_WITH_AS(Archive(folder / "none.pt"),
                         doctest::Contains("cannot be opened: No such file"), ArtifactError);
    CHECK_THROWS_WITH_AS(Archive(folder.path()), doctest::Contains("cannot be opened"),
                         ArtifactError);
  }
}

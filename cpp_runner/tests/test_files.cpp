#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "files.hpp"
#include "mpm_runner/error.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::program;
using namespace mpm::tests;

namespace {

// What a refusal says; nothing where there is none.
template <typename Function>
std::string refusal(Function function) {
  try {
    function();
  } catch (const InputError& error) {
    return error.problem();
  }
  return "";
}

int syncs = 0;
bool sync_fails = false;

}  // namespace

extern "C" int fsync(int) {
  ++syncs;
  errno = EIO;
  return sync_fails ? -1 : 0;
}

TEST_SUITE("files") {
  TEST_CASE("a file is on disk before it takes its place, or there is none") {
    const TemporaryFolder folder;
    syncs = 0;
    program::write_bytes(folder / "it", {"whole"});
    CHECK(syncs == 1);
    sync_fails = true;
    const std::string problem = refusal([&] { program::write_bytes(folder / "it", {"lost"}); });
    sync_fails = false;
    CHECK(problem == (folder / "it").string() + ": cannot write there: Input/output error");
    CHECK(read_bytes(folder / "it").size() == 5);
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
  }

  TEST_CASE("who may read a file is what the umask says") {
    const TemporaryFolder folder;
    for (const auto& [mask, mode] : {std::pair(022, 0644), {077, 0600}, {002, 0664}}) {
      const mode_t before = umask(static_cast<mode_t>(mask));
      program::write_bytes(folder / "it", {"whole"});
      umask(before);
      CHECK(fs::status(folder / "it").permissions() == static_cast<fs::perms>(mode));
    }
  }

  TEST_CASE("what cannot be written is found before the work, and the trial leaves nothing") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "folder");
    mkfifo((folder / "pipe").c_str(), 0600);
    for (const char* name : {"folder", "pipe", "none/it"}) {
      const std::string path = (folder / name).string();
      const std::string problem = refusal([&] { check_can_write(path); });
      CAPTURE(problem);
      CHECK(problem.starts_with(path + ": cannot write there: "));
    }
    tests::write_bytes(folder / "there", FileBytes{'{', '}'});
    tests::write_bytes(folder / "photo.jpg", FileBytes{'h', 'i'});
    check_can_write(folder / "there", "{");
    CHECK(refusal([&] { check_can_write(folder / "photo.jpg", "{"); }).ends_with(", got another"));
    check_can_write(folder / "photo.jpg");
    check_can_write(folder / "new");
    make_folder(folder / "made/here");
    CHECK(read_bytes(folder / "there") == FileBytes{'{', '}'});
    CHECK(std::distance(fs::recursive_directory_iterator(folder.path()), {}) == 6);
  }

  TEST_CASE("a folder for results is none that goes by an image's name, unless it is there") {
    const TemporaryFolder folder;
    for (const char* name : {"one.png", "ONE.JPG"}) {
      CHECK(refusal([&] { check_names_a_folder(folder / name); }).ends_with("an image's name"));
    }
    fs::create_directory(folder / "one.png");
    check_names_a_folder(folder / "one.png");
    check_names_a_folder(folder / "new");
  }

  TEST_CASE("a file in a folder's place is told as such") {
    const TemporaryFolder folder;
    tests::write_bytes(folder / "notes.md", FileBytes{'h', 'i'});
    const std::string place = (folder / "notes.md").string();
    CHECK(refusal([&] { make_folder(place); }) == place + ": cannot be made a folder: File exists");
  }

  TEST_CASE("an input folder is no output folder, by whatever path") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "photos");
    tests::write_bytes(folder / "photos/a.jpg", FileBytes{'h', 'i'});
    fs::create_directory_symlink(folder / "photos", folder / "link");
    for (const char* same : {"photos", "link", "photos/../photos", "photos/"}) {
      CHECK(refusal([&] {
              check_output_folder(folder / same, {folder / "none", folder / "photos"});
            }).ends_with(": expected an output folder that is not one of the input folders"));
    }
    check_output_folder(folder / "photos", {folder / "photos/a.jpg"});
    check_output_folder(folder / "photos/out", {folder / "photos"});
  }
}

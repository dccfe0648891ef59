#include <doctest/doctest.h>
#include <sys/stat.h>

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

}  // namespace

TEST_SUITE("files") {
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

#include <doctest/doctest.h>

#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "artifact_made.hpp"
#include "artifacts.hpp"
#include "images_made.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "program_run.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// Two good images and one that is cut off.
void fill(const TemporaryFolder& folder) {
  write_bytes(folder / "a.jpg", encode_jpeg(make_scene({37, 70})));
  const Image scene = make_scene({50, 40});
  write_bytes(folder / "b.png", encode_png(scene.size, scene.pixels));
  write_bytes(folder / "c.jpg", std::span<const std::uint8_t>(encode_jpeg(scene)).first(300));
}

}  // namespace

TEST_SUITE("program") {
  TEST_CASE("wrong usage exits 2") {
    for (const char* words : {"",
                              "a.pt",
                              "a.pt x --batch 0",
                              "a.pt x --batch 1,x",
                              "a.pt x --device gpu",
                              "a.pt x --what",
                              "a.pt x --threads -1",
                              "a.pt x --against b.pt",
                              "run a.pt",
                              "a.pt x --output o --label-size both",
                              "a.pt x --output o --timeout 0",
                              "run a.pt '' --output o",
                              "a.pt x --output o --reconnect -1",
                              "worker",
                              "'' x",
                              "a.pt ''",
                              "a.pt x -o ''",
                              "run a.pt x --json ''",
                              "a.pt x --json ''",
                              "a.pt x --trust ''",
                              "a.pt x --max-pixels 2147483648"}) {
      CAPTURE(words);
      const ProgramRun run = run_program(words);
      CHECK(run.exit_code == 2);
      CHECK(run.output == "");
      CHECK(run.errors != "");
    }
  }

  TEST_CASE("what is wrong with a word is said as in Python") {
    for (const auto& [words, said] : std::initializer_list<std::pair<const char*, const char*>>{
             {"a.pt x -o ''", "expected a path, got an empty one"},
             {"a.pt x --device gpu", "expected 'cpu', 'cuda' or 'cuda:1', got 'gpu'"},
             {"a.pt x --batch 0", "expected a whole number from 1 up, got '0'"},
             {"a.pt x --max-pixels 3000000000", "expected 2147483647 at most, got 3000000000"}}) {
      const std::string errors = run_program(words).errors;
      CAPTURE(errors);
      CHECK(errors.find(said) != std::string::npos);
    }
    CHECK(run_program("none.pt none --max-pixels 1000000000").exit_code == 1);  // and that is right
  }

  TEST_CASE("label maps come at the size that was asked for") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::string here = folder.path().string();
      write_bytes(folder / "a.jpg", encode_jpeg(make_scene({37, 70})));
      const InputInfo input = read_manifest(artifact).input;
      for (const auto& [name, size] : std::initializer_list<std::pair<const char*, Size>>{
               {"image", {37, 70}}, {"input", {input.height, input.width}}}) {
        const ProgramRun run = run_program("run " + artifact.string() + " " + here + "/a.jpg -o " +
                                           here + " --label-size " + name);
        CAPTURE(run.errors);
        CHECK(run.exit_code == 0);
        CHECK(decode(folder / "a.png").size == size);
      }
    }
  }

  TEST_CASE("lines are written over nothing but lines") {
    const TemporaryFolder folder;
    const std::string here = folder.path().string();
    for (const char* name : {"a.pt", "a.jpg", "other", "{lines"}) {
      write_bytes(folder / name, FileBytes{static_cast<std::uint8_t>(name[0])});
    }
    const std::string words = "run " + here + "/a.pt " + here + " --json " + here;
    for (const auto& [name, said] : std::initializer_list<std::pair<const char*, const char*>>{
             {"/a.pt", "a.pt: this output would overwrite the artifact\n"},
             {"/a.jpg", "a.jpg: this output would overwrite an input\n"},
             {"/other", "expected a new file or one of its kind, got another\n"},
             {"/out/a.png -o ", "a.png: expected two files for -o and --json\n"},
             {"/{lines", "a.pt: not an artifact, or cut short\n"}}) {
      fs::create_directories(folder / "out");
      const std::string output = std::string(name).ends_with(" ") ? here + "/out" : "";
      const ProgramRun run = run_program(words + name + output);
      CAPTURE(run.errors);
      CHECK(run.exit_code == 1);
      CHECK(run.errors.find(said) != std::string::npos);
    }
    CHECK(read_bytes(folder / "a.pt").size() == 1);
    CHECK(read_bytes(folder / "a.jpg").size() == 1);
  }

  TEST_CASE("wrong usage names the commands, and what was not expected in its order") {
    for (const auto& [words, problem] : std::initializer_list<std::array<const char*, 2>>{
             {"", "expected run, bench or ARTIFACT FOLDER, got nothing"},
             {"bild", "expected run, bench or ARTIFACT FOLDER, got bild"},
             {"inspect x.pt2", "expected run, bench or ARTIFACT FOLDER, got inspect"},
             {"a.pt photos --outptu x", "not expected: --outptu x"},
             {"bench a.pt photos --batch 0", "--batch: expected a whole number from 1 up, got '0'"},
             {"a.pt", "folder is required"}}) {
      const ProgramRun run = run_program(words);
      CAPTURE(run.errors);
      CHECK(run.exit_code == 2);
      CHECK(run.errors.starts_with("error: " + std::string(problem) + "\n  hint: "));
    }
  }

  TEST_CASE("help exits 0") {
    CHECK(run_program("--help").output.find("ARTIFACT FOLDER is short for bench") !=
          std::string::npos);
    CHECK(run_program("--help").output.find("worker") == std::string::npos);
    CHECK(run_program("run --help").output.find("--scores") != std::string::npos);
    CHECK(run_program("bench --help").exit_code == 0);
    CHECK(run_program("--version").output.starts_with("cpp_runner "));
  }

  TEST_CASE("nothing to do exits 1 with one sentence and a cure") {
    const TemporaryFolder folder;
    const std::string here = folder.path().string();
    write_bytes(folder / "text.pt", FileBytes{'h', 'i'});
    CHECK(run_program("none.pt " + here).exit_code == 1);
    CHECK(run_program("none.pt " + here + "/none").errors.find("no such file or folder") !=
          std::string::npos);
    write_bytes(folder / "x.jpg", FileBytes{'h', 'i'});
    const ProgramRun run = run_program(here + "/text.pt " + here);
    CHECK(run.exit_code == 1);
    CHECK(run.errors.starts_with("error: " + here + "/text.pt: not an artifact, or cut short\n"));
    CHECK(run.errors.find("\n  hint: ") != std::string::npos);
  }

  TEST_CASE("an artifact with nothing to run inside exits 1") {
    const TemporaryFolder folder;
    const std::string here = folder.path().string();
    fill(folder);
    write_artifact(folder / "hollow.pt", make_manifest());
    const ProgramRun run = run_program(here + "/hollow.pt " + here);
    CHECK(run.exit_code == 1);
    CHECK(run.errors.find("cannot load it") != std::string::npos);
  }

  TEST_CASE("a folder with a broken image is done but for it, and exits 3") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::string here = folder.path().string();
      fill(folder);
      const ProgramRun run = run_program(artifact.string() + " " + here + " --json " + here +
                                         "/report.json --batch 1,2,4");
      CAPTURE(run.errors);
      CHECK(run.exit_code == 3);
      CHECK(run.output.starts_with("batch "));
      CHECK(run.errors.find("skipped " + here + "/c.jpg: the file ends early") !=
            std::string::npos);
      CHECK(run.errors.find("left out batch 4: needs as many different images, and there are 2") !=
            std::string::npos);
      const FileBytes report = read_bytes(folder / "report.json");
      const Json json = Json::parse(report.begin(), report.end());
      CHECK(json["results"].size() == 2);
      CHECK(json["results"][0]["images"] == 2);
      CHECK(json["skipped"].size() == 1);
      CHECK(json["left_out"][0]["batch_size"] == 4);
    }
  }

  TEST_CASE("run writes label maps, and class scores where they are asked for") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::string here = folder.path().string();
      fill(folder);
      write_bytes(folder / "b.jpg", encode_jpeg(make_scene({37, 70})));
      const std::string words = artifact.string() + " " + here + " --output " + here;
      for (const std::string command : {"run ", ""}) {
        const ProgramRun run = run_program(command + words + "/out --scores --batch 2");
        CAPTURE(run.errors);
        CHECK(run.exit_code == 3);
        CHECK(run.output == "");
        CHECK(run.errors.find("skipped " + here + "/c.jpg: the file ends early") !=
              std::string::npos);
        CHECK(run.errors.find("3 label maps in " + here + "/out\n") != std::string::npos);
        CHECK(decode(folder / "out/a.png").size == Size{37, 70});
        CHECK(decode(folder / "out/b.png.png").size == Size{50, 40});
        for (const char* name : {"out/a.npy", "out/b.png.npy", "out/b.jpg.npy"}) {
          CHECK(fs::exists(folder / name));
        }
        CHECK(std::distance(fs::directory_iterator(folder / "out"), {}) == 6);
        fs::remove_all(folder / "out");
      }
    }
  }

  TEST_CASE("run takes folders in folders, patterns, and a list on stdin") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      const std::string here = folder.path().string();
      fs::create_directories(folder / "in/deep/.hidden");
      const FileBytes jpeg = encode_jpeg(make_scene({37, 70}));
      for (const char* name : {"in/a.jpg", "in/b.jpg", "in/deep/a.jpg", "in/deep/.hidden/c.jpg"}) {
        write_bytes(folder / name, jpeg);
      }
      const std::string words = "run " + artifact.string() + " --json - -o " + here + "/";
      CHECK(run_program(words + "deep " + here + "/in --recursive").exit_code == 0);
      CHECK(fs::exists(folder / "deep/deep/a.png"));
      CHECK(std::distance(fs::recursive_directory_iterator(folder / "deep"), {}) == 4);
      CHECK(run_program(words + "pattern '" + here + "/in/[b-z]*'").exit_code == 0);
      CHECK(std::distance(fs::directory_iterator(folder / "pattern"), {}) == 1);
      const std::string list = "find " + here + "/in -name a.jpg -path '*in/a*' -print0 | ";
      CHECK(run_program(words + "list -", list).output.find(here + "/in/a.jpg") !=
            std::string::npos);
      CHECK(run_program(words + "any '" + here + "/in/**/a.jpg'")
                .errors.find("label map a.jpg.png") != std::string::npos);
      CHECK(run_program(words + "none '" + here + "/*.gif'").errors.find("no file matches") !=
            std::string::npos);
      CHECK(run_program(words + "in/out " + here + "/in --recursive").errors.find("outside") !=
            std::string::npos);
      CHECK(run_program(words + "a.mp4 " + here + "/in").errors.find("a video's name") !=
            std::string::npos);
      CHECK(run_program("run a.pt " + here + "/in/a.jpg --json " + here + "/in/a.jpg")
                .errors.find("would overwrite an input") != std::string::npos);
      CHECK(run_program(words + "two a.mp4 b.mp4").errors.find("a camera alone") !=
            std::string::npos);
    }
  }

  TEST_CASE("the worker says what it is, and answers what it cannot do") {
    for (const fs::path& artifact : test_artifacts()) {
      const TemporaryFolder folder;
      fill(folder);
      const std::string requests = R"((printf '{"pass": "open"}\n{"pass": "sleep"}\n{"pass":';)"
                                   " head -c 100000 /dev/zero | tr '\\0' '['; echo) | ";
      const ProgramRun run =
          run_program("worker " + artifact.string() + " " + folder.path().string(), requests);
      CHECK(run.exit_code == 0);
      std::istringstream answers(run.output);
      std::string line;
      std::getline(answers, line);
      const Json opened = Json::parse(line);
      CHECK(opened["usable"] == 2);
      CHECK(opened["program"] == "cpp");
      CHECK(opened["python"].is_null());
      std::getline(answers, line);
      CHECK(Json::parse(line)["error"] ==
            "pass: expected one of open, warmup, model, end_to_end, got 'sleep'");
      std::getline(answers, line);
      CHECK(Json::parse(line)["error"].get<std::string>().find("too deep") != std::string::npos);
    }
  }
}

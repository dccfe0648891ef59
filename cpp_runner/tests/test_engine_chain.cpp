#include "backends/engine_chain.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "artifact/archive.hpp"
#include "artifact_made.hpp"
#include "mpm_runner/error.hpp"
#include "steps_made.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

const EngineInfo engine{"tensorrt", "10.9.0.34", {9, 0}, "x86_64", {5, 3}};
const std::string folder_of_engine = "root/engines/tensorrt-10.9.0.34-9.0-x86_64/";

const at::Tensor images = at::zeros({1, 3, 2, 2}, at::kByte);

// An artifact with the engines, and another one's; opened, and what was given to the library.
struct Opening {
  explicit Opening(Records records) {
    records.emplace_back("root/engines/tensorrt-10.9.0.34-8.0-x86_64/0.engine", "others");
    records.emplace_back("root/segments/0.onnx", "a segment");
    write_zip(path, records);
  }

  std::size_t open(const std::string& payload_sha256) {
    const auto keep = [&](const std::string& bytes) {
      seen.push_back(bytes);
      return std::make_unique<MadeUp>(std::vector<std::string>{}, Work{});
    };
    return open_engines(path, payload_sha256, engine, keep).size();
  }

  ArtifactError refusal(const std::string& payload_sha256) {
    try {
      open(payload_sha256);
    } catch (const ArtifactError& error) {
      return error;
    }
    return ArtifactError("nothing was refused");
  }

  std::string hash() const { return Archive(path).payload_sha256(); }

  TemporaryFolder folder;
  fs::path path = folder / "a.tensorrt.zip";
  std::vector<std::string> seen;
};

Records engines_of_sizes(std::size_t first, std::size_t second) {
  return {{folder_of_engine + "0.engine", std::string(first, 'a')},
          {folder_of_engine + "1.engine", std::string(second, 'b')}};
}

}  // namespace

TEST_SUITE("engine_chain") {
  TEST_CASE("it gives what its steps give, one after the other") {
    EngineChain chain(steps_of({
                          {{"images"},
                           [](const auto& given) {
                             CHECK(given.at(0).data_ptr() == images.data_ptr());
                             return NamedTensors{{"tokens_1", at::zeros({5, 2})},
                                                 {"kept_1", at::full({1}, 3, at::kInt)},
                                                 {"merge_map_1", at::full({1, 4}, 7, at::kInt)}};
                           }},
                          {{"tokens_1"},
                           [](const auto& given) {
                             CHECK(given.at(0).size(0) == 3);
                             return NamedTensors{{"scores", at::full({1, 2, 2, 2}, 0.5)}};
                           }},
                      }),
                      at::kCPU);
    const ModelOutput output = chain.run(images, 4);
    CHECK(output.scores.sizes() == at::IntArrayRef{1, 2, 2, 2});
    CHECK(output.merge_maps[0][0][3].item<int>() == 7);
  }

  TEST_CASE("threads take turns, each for all engines") {
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    const auto enter = [&](const auto&) {
      most = std::max<int>(most, ++inside);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return NamedTensors{{"tokens_1", at::zeros({2, 1})}, {"kept_1", at::full({1}, 1, at::kInt)}};
    };
    const auto leave = [&](const auto&) {
      --inside;
      return NamedTensors{{"scores", at::zeros({1, 2, 2, 2})},
                          {"merge_map_1", at::zeros({1, 4}, at::kInt)}};
    };
    EngineChain chain(steps_of({{{"images"}, enter}, {{"tokens_1"}, leave}}), at::kCPU);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { chain.run(images, 4); });
    for (std::thread& thread : threads) thread.join();
    CHECK(inside == 0);
    CHECK(most == 1);
  }

  TEST_CASE("one that failed leaves the turn to the next") {
    int calls = 0;
    EngineChain chain(steps_of({{{"images"},
                                 [&](const auto&) {
                                   if (++calls == 1) throw std::runtime_error("no memory");
                                   return NamedTensors{{"scores", at::zeros({1, 2, 2, 2})}};
                                 }}}),
                      at::kCPU);
    CHECK_THROWS_WITH(chain.run(images, 4), "no memory");
    CHECK(chain.run(images, 4).scores.defined());
  }

  TEST_CASE("engines are opened in order, and no others") {
    Opening opening(engines_of_sizes(5, 3));
    CHECK(opening.open(opening.hash()) == 2);
    CHECK(opening.seen == std::vector<std::string>{"aaaaa", "bbb"});
  }

  TEST_CASE("an engine of another size is refused before a library sees any") {
    for (const std::size_t size : {std::size_t{2}, std::size_t{4}}) {
      Opening opening(engines_of_sizes(5, size));
      const ArtifactError error = opening.refusal(opening.hash());
      CHECK(error.problem() == opening.path.string() +
                                   ": tensorrt-10.9.0.34-9.0-x86_64/1.engine: expected 3 bytes, "
                                   "found " +
                                   std::to_string(size));
      CHECK(error.hint().ends_with("mpm-deploy engine " + opening.path.string()));
      CHECK(opening.seen.empty());
    }
  }

  TEST_CASE("an engine that is not there is refused") {
    Opening opening({{folder_of_engine + "0.engine", "aaaaa"}});
    const ArtifactError error = opening.refusal(opening.hash());
    CHECK(error.problem().ends_with("/1.engine: expected 3 bytes, found 0"));
    CHECK(opening.seen.empty());
  }

  TEST_CASE("a file that changed is refused") {
    Opening opening(engines_of_sizes(5, 3));
    const std::string another(64, '0');
    CHECK(opening.refusal(another).problem().find("changed since it was built") !=
          std::string::npos);
    CHECK(opening.seen.empty());
  }
}

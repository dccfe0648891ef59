#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "artifact/host.hpp"
#include "artifacts.hpp"
#include "backends/program.hpp"
#include "backends/segment_chain.hpp"
#include "mpm_runner/manifest.hpp"
#include "steps_made.hpp"
#include "support/threads.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

at::Tensor kept(int rows) { return at::full({1}, rows, at::kInt); }

at::Tensor map_of(int token) { return at::full({1, 4}, token, at::kInt); }

std::ptrdiff_t threads_here() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

const at::Tensor images = at::zeros({1, 3, 2, 2}, at::kByte);

}  // namespace

TEST_SUITE("segment_chain") {
  TEST_CASE("each segment takes what those before it gave, the front of a buffer where it lies") {
    const at::Tensor first = at::arange(10, at::kFloat).view({5, 2});
    const at::Tensor second = at::arange(6, at::kFloat).view({3, 2});
    std::vector<at::Tensor> seen;
    const Steps steps = steps_of({
        {{"images"},
         [&](const auto& given) {
           seen.push_back(given.at(0));
           return NamedTensors{{"tokens_1", first},
                               {"kept_1", kept(3)},
                               {"merge_map_1", map_of(7)},
                               {"tap_0", first}};
         }},
        {{"tokens_1", "merge_map_1"},
         [&](const auto& given) {
           seen.push_back(given.at(0));
           return NamedTensors{
               {"tokens_2", second}, {"kept_2", kept(2)}, {"merge_map_2", map_of(8)}};
         }},
        {{"tokens_2", "merge_map_2", "tap_0"},
         [&](const auto& given) {
           seen.push_back(given.at(0));
           CHECK(given.at(2).size(0) == 5);
           return NamedTensors{{"scores", at::full({1, 2, 2, 2}, 0.5)}};
         }},
    });
    const ModelOutput output = run_chain(steps, images, 4);
    CHECK(seen.at(0).data_ptr() == images.data_ptr());
    CHECK(seen.at(1).sizes() == at::IntArrayRef{3, 2});
    CHECK(seen.at(1).data_ptr() == first.data_ptr());
    CHECK(seen.at(2).sizes() == at::IntArrayRef{2, 2});
    CHECK(seen.at(2).data_ptr() == second.data_ptr());
    CHECK(output.scores.sizes() == at::IntArrayRef{1, 2, 2, 2});
    CHECK(output.merge_maps.sizes() == at::IntArrayRef{1, 2, 4});
    CHECK(output.merge_maps[0][0][0].item<int>() == 7);
    CHECK(output.merge_maps[0][1][3].item<int>() == 8);
  }

  TEST_CASE("a model without merges is one segment") {
    const Steps steps = steps_of({{{"images"}, [](const auto&) {
                                     return NamedTensors{{"scores", at::zeros({1, 2, 2, 2})}};
                                   }}});
    const ModelOutput output = run_chain(steps, images, 4);
    CHECK(output.merge_maps.sizes() == at::IntArrayRef{1, 0, 4});
    CHECK((output.merge_maps.scalar_type() == at::kInt));
  }

  TEST_CASE("its merge maps, though there are none, lie where its scores do") {
    const Steps steps =
        steps_of({{{"images"}, [](const auto&) {
                     return NamedTensors{{"scores", at::zeros({1, 2, 2, 2}, at::kMeta)}};
                   }}});
    CHECK(run_chain(steps, images, 4).merge_maps.device() == at::Device(at::kMeta));
  }

  TEST_CASE("a segment that keeps more rows than there are, or gives too little, is an error") {
    for (const int rows : {-1, 6}) {
      const Steps steps = steps_of({
          {{"images"},
           [&](const auto&) {
             return NamedTensors{{"tokens_1", at::zeros({5, 2})}, {"kept_1", kept(rows)}};
           }},
          {{"tokens_1"}, [](const auto&) { return NamedTensors{}; }},
      });
      CHECK_THROWS_AS(run_chain(steps, images, 4), std::runtime_error);
    }
    const Steps lacking = steps_of({{{"tokens_9"}, [](const auto&) { return NamedTensors{}; }}});
    CHECK_THROWS_WITH_AS(run_chain(lacking, images, 4), "no segment gives tokens_9",
                         std::runtime_error);
    const Steps silent = steps_of({{{"images"}, [](const auto&) { return NamedTensors{}; }}});
    CHECK_THROWS_WITH_AS(run_chain(silent, images, 4), "no segment gives scores",
                         std::runtime_error);
  }

  TEST_CASE("sessions are opened anew where more threads are wanted than they have") {
    for (const std::filesystem::path& artifact : test_artifacts()) {
      const Manifest manifest = read_manifest(artifact);
      if (manifest.requires_.backend != "onnxruntime") continue;
      const auto program = load_program(artifact, manifest, parse_device("cpu"), 4);
      const at::Tensor image =
          at::zeros({1, 3, manifest.input.height, manifest.input.width}, at::kByte);
      std::thread([&] {
        use_intra_op_threads(2);
        program->scores(image);
        const auto with_two = threads_here();
        use_intra_op_threads(4);
        program->scores(image);
        const auto segments = static_cast<std::ptrdiff_t>(manifest.merge.blocks.size()) + 1;
        CHECK(threads_here() - with_two >= 2 * segments);  // the caller is one of a session's
      }).join();
    }
  }
}

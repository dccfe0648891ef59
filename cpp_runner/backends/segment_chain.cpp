#include "backends/segment_chain.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <stdexcept>

namespace mpm {

namespace {

std::string numbered(const char* name, std::size_t merges) {
  return name + ("_" + std::to_string(merges));
}

const at::Tensor& found(const NamedTensors& given, const std::string& name) {
  const auto tensor = given.find(name);
  if (tensor == given.end()) throw std::runtime_error("no segment gives " + name);
  return tensor->second;
}

// Reads how many rows a merge kept, and leaves those of its buffer.
void keep_front(NamedTensors& given, std::size_t merges) {
  const at::Tensor tokens = found(given, numbered("tokens", merges));  // (T, C)
  const auto kept = found(given, numbered("kept", merges)).item<std::int64_t>();
  if (kept < 0 || kept > tokens.size(0)) {
    throw std::runtime_error("a segment kept " + std::to_string(kept) + " of " +
                             std::to_string(tokens.size(0)) + " rows");
  }
  given[numbered("tokens", merges)] = tokens.narrow(0, 0, kept);
}

// Joins the maps (1, N) of each merge: (1, M, N), beside the scores.
at::Tensor merge_maps(const NamedTensors& given, std::size_t merges, std::int64_t patches,
                      const at::Tensor& scores) {
  std::vector<at::Tensor> maps;
  for (std::size_t merge = 1; merge <= merges; ++merge) {
    maps.push_back(found(given, numbered("merge_map", merge)));
  }
  return maps.empty() ? at::empty({1, 0, patches}, scores.options().dtype(at::kInt))
                      : at::stack(maps, 1);
}

}  // namespace

ModelOutput run_chain(const Steps& steps, const at::Tensor& images, std::int64_t patches) {
  NamedTensors given{{"images", images}};
  const std::size_t merges = steps.size() - 1;
  for (std::size_t index = 0; index <= merges; ++index) {
    std::vector<at::Tensor> inputs;
    for (const std::string& name : steps[index]->inputs()) inputs.push_back(found(given, name));
    given.merge(steps[index]->run(inputs));
    if (index < merges) keep_front(given, index + 1);
  }
  const at::Tensor& scores = found(given, "scores");
  return {scores, merge_maps(given, merges, patches, scores)};
}

}  // namespace mpm

#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/program.hpp"

namespace mpm {

using NamedTensors = std::map<std::string, at::Tensor>;

// One segment of a model that was cut at its merges, in the hands of whatever computes it. What it
// takes and gives is found by name: docs/formats/artifact.md lists them.
class Step {
 public:
  virtual ~Step() = default;

  // The names of what it takes: the images, or what segments before it gave.
  virtual const std::vector<std::string>& inputs() const = 0;

  // Computes what it gives, by name. inputs: in the order of their names, contiguous.
  virtual NamedTensors run(const std::vector<at::Tensor>& inputs) const = 0;
};

using Steps = std::vector<std::unique_ptr<Step>>;

// Runs the segments of a model on one image, (1, 3, H, W) uint8. The front of a buffer goes to the
// next segment where it lies: nothing is copied, and no more is read than how many rows that is.
// patches: N of an image. Throws std::runtime_error: a segment lacks what a later one takes, or
// kept more rows than there are.
ModelOutput run_chain(const Steps& steps, const at::Tensor& images, std::int64_t patches);

}  // namespace mpm

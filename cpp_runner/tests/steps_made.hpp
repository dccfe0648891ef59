#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/segment_chain.hpp"

namespace mpm::tests {

using Work = std::function<NamedTensors(const std::vector<at::Tensor>&)>;

// A segment that a test makes up.
class MadeUp : public Step {
 public:
  MadeUp(std::vector<std::string> inputs, Work work)
      : inputs_(std::move(inputs)), work_(std::move(work)) {}

  const std::vector<std::string>& inputs() const override { return inputs_; }

  NamedTensors run(const std::vector<at::Tensor>& inputs) const override { return work_(inputs); }

 private:
  std::vector<std::string> inputs_;
  Work work_;
};

inline Steps steps_of(std::vector<MadeUp> made_up) {
  Steps steps;
  for (MadeUp& step : made_up) steps.push_back(std::make_unique<MadeUp>(std::move(step)));
  return steps;
}

}  // namespace mpm::tests

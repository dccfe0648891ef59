#pragma once

#include <c10/core/Device.h>
#include <c10/core/Stream.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

namespace mpm {

// A queue of a GPU's own, for the work of one stage: the stages' threads wait for their own work
// only, and the GPU does all of it side by side.
//
//   copying    ▓░░▓░░▓         one batch after the other
//   scoring     ▓▓▓▓▓▓▓▓▓
//   labeling      ░▓░░▓░░▓
//
// On a CPU a thread does its work itself. What one stream made another may use: it is there once
// `run` is back, and its memory is free again after that.
class DeviceStream {
 public:
  explicit DeviceStream(const c10::Device& device) {
    if (!device.is_cuda()) return;
    constexpr bool high_priority = false;
    stream_ =
        c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device, high_priority);
  }

  // Has the function's work queued there, and waits until it is done.
  template <typename Function>
  void run(Function function) const {
    const c10::OptionalStreamGuard guard(stream_);
    function();
    if (stream_) stream_->synchronize();
  }

 private:
  std::optional<c10::Stream> stream_;
};

}  // namespace mpm

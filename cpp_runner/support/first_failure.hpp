#pragma once

#include <exception>

namespace mpm {

// Runs steps each of which is due whatever the others throw, and throws at the end what the first
// one did that failed.
class FirstFailure {
 public:
  template <typename Step>
  void note(const Step& step) {
    try {
      step();
    } catch (...) {  // not understood here, only carried over
      if (!first_) first_ = std::current_exception();
    }
  }

  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::exception_ptr first_;
};

}  // namespace mpm

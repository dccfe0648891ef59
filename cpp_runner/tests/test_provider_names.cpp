#include <doctest/doctest.h>

#include "backends/provider_names.hpp"

using namespace mpm;

TEST_SUITE("provider_names") {
  TEST_CASE("a name is cut, written as the interface in C writes it, or not known") {
    CHECK(short_name("CUDAExecutionProvider") == "CUDA");
    CHECK(short_name("XnnpackExecutionProvider") == "XNNPACK");
    CHECK(short_name("TensorrtExecutionProvider") == "TensorRT");
    CHECK(short_name("NvTensorRTRTXExecutionProvider") == "NvTensorRtRtx");
    CHECK_FALSE(short_name("AbacusExecutionProvider"));
    CHECK_FALSE(short_name("CUDA"));
  }
}

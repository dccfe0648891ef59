#include "backends/engine_input.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace mpm;

namespace {

std::string refusal_of(const at::Tensor& given) {
  try {
    readable("images", given, at::kInt, at::kCPU);
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

}  // namespace

TEST_SUITE("engine_input") {
  TEST_CASE("it is read where it lies") {
    const at::Tensor given = at::arange(64, at::kInt);
    CHECK(readable("images", given, at::kInt, at::kCPU).data_ptr() == given.data_ptr());
  }

  TEST_CASE("where none may lie, as an image of a batch, it is copied") {
    const at::Tensor given = at::arange(64, at::kByte).narrow(0, 1, 63);
    const at::Tensor read = readable("images", given, at::kByte, at::kCPU);
    CHECK(reinterpret_cast<std::uintptr_t>(given.data_ptr()) % 64 != 0);
    CHECK(reinterpret_cast<std::uintptr_t>(read.data_ptr()) % 64 == 0);
    CHECK(read.equal(given));
  }

  TEST_CASE("what no engine reads is refused by what it is") {
    const std::string expected = "images: expected a contiguous Int on cpu, got ";
    CHECK(refusal_of(at::zeros({1, 4})) == expected + "Float on cpu");
    const auto elsewhere = at::TensorOptions(at::kMeta).dtype(at::kInt);
    CHECK(refusal_of(at::zeros({1, 4}, elsewhere)) == expected + "Int on meta");
    CHECK(refusal_of(at::zeros({4, 4}, at::kInt).t()) == expected + "strides [1, 4] of [4, 4]");
  }
}

#include <doctest/doctest.h>

#include "cuda_driver.hpp"
#include "host.hpp"
#include "mpm_runner/error.hpp"

using namespace mpm;

namespace {

std::string problem_of(const Requires& needs, const Device& device = {}) {
  Manifest manifest{};
  manifest.requires_ = needs;
  try {
    check_host(manifest, device, "folder/a.pt2");
    return "";
  } catch (const HostError& error) {
    CHECK(error.hint().ends_with("--recipe folder/a.pt2 -o a.pt2"));
    return error.problem();
  }
}

Requires any_cpu() { return {"aotinductor", "cpu", "float32", "2.15.0", {}, {}, {}}; }

}  // namespace

TEST_SUITE("host") {
  TEST_CASE("names of devices") {
    CHECK(parse_device("cpu").name() == "cpu");
    CHECK(parse_device("cuda").name() == "cuda:0");
    CHECK(parse_device("cuda:1").name() == "cuda:1");
    for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1000", "CPU"}) {
      CHECK_THROWS_AS(parse_device(name), InputError);
    }
  }

  TEST_CASE("an artifact that needs nothing runs here") { CHECK(problem_of(any_cpu()) == ""); }

  TEST_CASE("another machine is refused") {
    Requires needs = any_cpu();
    needs.machine = "riscv128";
    CHECK(problem_of(needs).starts_with("folder/a.pt2: built for riscv128, and this machine is "));
  }

  TEST_CASE("a CPU without a flag is refused") {
    Requires needs = any_cpu();
    needs.cpu_isa = {"avx4096"};
    CHECK(problem_of(needs).find("built for a CPU with avx4096") != std::string::npos);
  }

  TEST_CASE("a compiled artifact is refused on another kind of device") {
    CHECK(problem_of(any_cpu(), parse_device("cuda")).find("asked to run on \"cuda:0\"") !=
          std::string::npos);
  }

  TEST_CASE("a GPU that is not there is refused") {
    Requires needs = any_cpu();
    needs.device = "cuda";
    const Device absent{.is_cuda = true, .index = gpu_count()};
    CHECK(problem_of(needs, absent).find("asked to run on") != std::string::npos);
  }
}

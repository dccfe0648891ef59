#include <doctest/doctest.h>

#include <sstream>

#include "artifact/cuda_driver.hpp"
#include "artifact/host.hpp"
#include "host_facts.hpp"
#include "mpm_runner/error.hpp"

using namespace mpm;

namespace {

constexpr const char* rebuilt = "--recipe folder/a.pt2 -o a.pt2";

std::string problem_of(const Requires& needs, const Device& device = {},
                       const std::string& cure = rebuilt) {
  Manifest manifest{};
  manifest.requires_ = needs;
  try {
    check_host(manifest, device, "folder/a.pt2");
    return "";
  } catch (const HostError& error) {
    CHECK(error.hint().ends_with(cure));
    return error.problem();
  }
}

using namespace std::string_literals;

constexpr const char* an_x86 =
    "processor\t: 0\nmodel\t\t: 85\nmodel name\t: A CPU @ 2.00GHz\nflags\t\t: fpu avx2\n"
    "vmx flags\t: vnmi\n\nprocessor\t: 1\n";
constexpr const char* an_arm =
    "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\n"
    "CPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: 0xd0b\nCPU revision\t: 1\n\n";

std::set<std::string> flags_of(const std::string& cpuinfo) {
  std::istringstream text(cpuinfo);
  return cpu_flags(text);
}

std::string name_of(const std::string& cpuinfo, const std::string& board = "") {
  std::istringstream text(cpuinfo);
  std::istringstream model(board);
  return program::cpu_name(text, model, "aarch64");
}

Requires any_cpu() { return {"aotinductor", "cpu", "float32", {{"torch", "2.15.0"}}}; }

}  // namespace

TEST_SUITE("host") {
  TEST_CASE("names of devices") {
    CHECK(parse_device("cpu").name() == "cpu");
    CHECK(parse_device("cuda").name() == "cuda:0");
    CHECK(parse_device("cuda:1").name() == "cuda:1");
    for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1000", "CPU"}) {
      CHECK_THROWS_AS(parse_device(name), InputError);
    }
    CHECK_THROWS_WITH(parse_device("gpu"), "device: expected 'cpu', 'cuda' or 'cuda:1', got 'gpu'");
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

#ifdef __x86_64__
  TEST_CASE("a CPU without a flag is told of one file for many") {
    Requires needs = any_cpu();
    needs.machine = "x86_64";
    needs.cpu_isa = {"avx4096"};
    problem_of(needs, {}, "--set backend.cpu=x86-64-v3, or another level that they have");
  }
#endif

  TEST_CASE("what a CPU can do") {
    CHECK(flags_of(an_x86) == std::set<std::string>{"fpu", "avx2"});
    CHECK(flags_of(an_arm) == std::set<std::string>{"fp", "asimd", "asimddp"});
    CHECK(flags_of("").empty());
  }

  TEST_CASE("what a CPU is called") {
    CHECK(name_of(an_x86) == "A CPU @ 2.00GHz");
    CHECK(name_of("model name\t: AMD EPYC\n") == "AMD EPYC");
    CHECK(name_of("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n") ==
          "AMD EPYC, family 25, model 17");
    CHECK(name_of(an_arm + "Model\t\t: A board Rev 1.0\n"s, "Another") == "A board Rev 1.0");
    CHECK(name_of(an_arm, "A board Rev 1.0\0"s) == "A board Rev 1.0");
    CHECK(name_of(an_arm) == "aarch64, implementer 0x41, part 0xd0b");
    CHECK(name_of("") == "aarch64");
    CHECK(name_of("model name\t: \n") == "aarch64");
  }

  TEST_CASE("a compiled artifact is refused on another kind of device") {
    CHECK(problem_of(any_cpu(), parse_device("cuda"), "mpm-deploy build --recipe h100_bf16") ==
          "folder/a.pt2: built for device 'cpu', and asked to run on 'cuda:0'");
  }

  TEST_CASE("a GPU that is not there is refused") {
    Requires needs = any_cpu();
    needs.device = "cuda";
    const Device absent{.is_cuda = true, .index = gpu_count()};
    const std::string cure =
        gpu_count() == 0 ? "mpm-deploy build --recipe cpu_fp32" : "name one of those";
    CHECK(problem_of(needs, absent, cure).find("asked to run on") != std::string::npos);
  }
}

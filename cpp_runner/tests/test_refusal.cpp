#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <system_error>

#include "support/refusal.hpp"
#include "support/temporary_folder.hpp"

using namespace mpm;

namespace {

HostError told(const std::exception& error) {
  const auto refused = refusal_in(error);
  REQUIRE(refused);
  return *refused;
}

}  // namespace

TEST_SUITE("refusal") {
  TEST_CASE("a reason has its own cure, or the caller's") {
    const auto full = refusal<InputError>("it: cannot write there", ENOSPC, "name another");
    CHECK(full.problem() == "it: cannot write there: No space left on device");
    CHECK(full.hint().starts_with("make room"));
    const auto absent = refusal<InputError>("it: cannot be read", ENOENT, "name another");
    CHECK(absent.problem() == "it: cannot be read: No such file or directory");
    CHECK(absent.hint() == "name another");
  }

  TEST_CASE("what other exceptions say is told") {
    CHECK(told(std::bad_alloc()).problem() ==
          "this machine is short of memory: Cannot allocate memory");
    const std::system_error no_thread(EAGAIN, std::generic_category());
    CHECK(told(no_thread).problem() ==
          "this machine is short of threads: Resource temporarily unavailable");
    CHECK(told(no_thread).hint().ends_with("--threads 1"));
    const std::runtime_error torchs("DefaultCPUAllocator: can't allocate memory\nframe #0");
    CHECK(told(torchs).problem() ==
          "this machine is short of memory: DefaultCPUAllocator: can't allocate memory");
    const std::runtime_error tensorrts("Error Code 2: OutOfMemory (Requested size was 99 bytes.)");
    CHECK(told(tensorrts).problem() ==
          std::string("this machine is short of memory: ") + tensorrts.what());
    const std::filesystem::filesystem_error of_file(
        "cannot", "a/file", std::make_error_code(std::errc::permission_denied));
    CHECK(told(of_file).problem() == "a/file: Permission denied");
  }

  TEST_CASE("what an exception says is a line") {
    CHECK(line_of(std::runtime_error("shapes differ\nException raised from x\nframe #0")) ==
          "shapes differ");
    CHECK(line_of(std::runtime_error("The following operation failed in the TorchScript "
                                     "interpreter.\nTraceback:\nRuntimeError: shapes differ\n")) ==
          "RuntimeError: shapes differ");
    CHECK(line_of(std::runtime_error("\n shapes differ \n")) == "shapes differ");
    CHECK(line_of(std::runtime_error("")) == "std::runtime_error");
    CHECK(line_of(std::runtime_error("\n")) == "std::runtime_error");
  }

  TEST_CASE("a bug is no refusal") {
    CHECK_FALSE(refusal_in(std::runtime_error("shapes differ")));
    CHECK_THROWS_AS(refusals_told([]() -> int { throw std::logic_error("bug"); }),
                    std::logic_error);
    CHECK_THROWS_AS(refusals_told([]() -> int { throw std::bad_alloc(); }), HostError);
  }

  TEST_CASE("a temporary folder that cannot be locked is none, and nothing is left of it") {
    std::string name = for_temporary_files() / "mpm-test-XXXXXX";
    const std::filesystem::path parent = mkdtemp(name.data());
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const int next = dup(STDERR_FILENO);
    close(next);
    const rlimit none_left{static_cast<rlim_t>(next), before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none_left) == 0);
    std::error_code refused;
    try {
      const TemporaryFolder folder(parent);
    } catch (const std::filesystem::filesystem_error& error) {
      refused = error.code();
    }
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(refused == std::errc::too_many_files_open);
    CHECK(std::filesystem::is_empty(parent));
    std::filesystem::remove_all(parent);
  }

  TEST_CASE("a temporary folder without room is refused with its cure") {
    CHECK_NOTHROW(check_temporary_folder(1));
    try {
      check_temporary_folder(std::uintmax_t{1} << 60);
      FAIL("there is no such room");
    } catch (const HostError& error) {
      CHECK(error.problem().find("MiB free, and 1099511627776 are needed") != std::string::npos);
      CHECK(error.hint().find("TMPDIR=") != std::string::npos);
    }
  }

  TEST_CASE("a file larger than its limit is refused before it is written") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit small{1 << 20, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(may_write(1 << 20));
    std::string said;
    try {
      check_temporary_folder((1 << 20) + 1);
    } catch (const HostError& error) {
      said = error.problem() + "; " + error.hint();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(said == "temporary folder " + for_temporary_files().string() +
                      ": File too large; raise the limit of a file's size (ulimit -f), or name a "
                      "place on another disk");
  }
}

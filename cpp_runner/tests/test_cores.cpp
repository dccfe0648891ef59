#include <doctest/doctest.h>

#include <chrono>
#include <map>

#include "mpm_runner/model.hpp"
#include "support/contention.hpp"
#include "support/cores.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

using Files = std::map<std::string, std::string>;

// A system's files; those of control groups are named from where these are mounted.
struct System {
  explicit System(const Files& files) {
    for (const auto& [name, text] : files) {
      const fs::path file = folder / (name.starts_with("proc/") ? name : "sys/fs/cgroup/" + name);
      fs::create_directories(file.parent_path());
      std::ofstream(file) << text;
    }
  }

  int cores() const { return available_cores(folder.path()); }

  TemporaryFolder folder;
};

Files version_2(const std::string& group, const std::string& top, Files files) {
  files["proc/self/cgroup"] = "0::" + group + "\n";
  files["proc/self/mountinfo"] =
      "25 24 0:22 " + top + " /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
  return files;
}

Files version_1(const std::string& group, const std::string& top, Files files) {
  files["proc/self/cgroup"] = "5:cpuset:/other\n4:cpu,cpuacct:" + group + "\n";
  files["proc/self/mountinfo"] =
      "31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
      "32 30 0:28 " +
      top + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
  return files;
}

Files quota_1(const std::string& group, const std::string& quota) {
  return {{"cpu,cpuacct/" + group + "cpu.cfs_quota_us", quota + "\n"},
          {"cpu,cpuacct/" + group + "cpu.cfs_period_us", "100000\n"}};
}

}  // namespace

TEST_SUITE("cores") {
  TEST_CASE("where nothing says otherwise, those of the affinity mask") {
    const int all = System({}).cores();
    CHECK(all >= 1);
    CHECK(System(version_2("/", "/", {{"cpu.max", "max 100000\n"}})).cores() == all);
    CHECK(System(version_2("/", "/", {{"cpu.max", "garbage\n"}})).cores() == all);
    CHECK(System(version_2("/", "/", {{"cpu.max", "900000000 100000\n"}})).cores() == all);
    CHECK(System(version_2("/a", "/", {{"b/cpu.max", "1000 100000\n"}})).cores() == all);
    CHECK(System(version_1("/", "/", quota_1("", "-1"))).cores() == all);
  }

  // One core or less: so many has every machine that the tests run on.
  TEST_CASE("a quota leaves fewer") {
    CHECK(System(version_2("/", "/", {{"cpu.max", "100000 100000\n"}})).cores() == 1);
    CHECK(System(version_2("/", "/", {{"cpu.max", "0 100000\n"}})).cores() == 1);
    CHECK(System(version_2("/a/b", "/", {{"a/cpu.max", "5000 100000\n"}})).cores() == 1);
    CHECK(System(version_2("/pod", "/pod", {{"cpu.max", "50000 100000\n"}})).cores() == 1);
    CHECK(System(version_2("/../elsewhere", "/", {{"cpu.max", "50000 100000\n"}})).cores() == 1);
    CHECK(System(version_1("/a/b", "/", quota_1("a/", "90000"))).cores() == 1);
    CHECK(System(version_1("/docker/own", "/docker/own", quota_1("", "90000"))).cores() == 1);
  }

  TEST_CASE("a part of a core counts as one") {
    if (available_cores() < 2) return;
    CHECK(System(version_2("/", "/", {{"cpu.max", "110000 100000\n"}})).cores() == 2);
    CHECK(System(version_1("/a", "/", quota_1("a/", "110000"))).cores() == 2);
  }

  TEST_CASE("what held this process back is counted from when the watch is made") {
    ContentionWatch watch;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    while (std::chrono::steady_clock::now() < end) {
    }
    const Contention told = watch.read();
    CHECK(told.others_cores >= 0);
    CHECK(told.others_cores <= available_cores() + 0.5);  // a tick is 10 ms
    CHECK(told.interruptions >= 0);
  }

  TEST_CASE("throttled periods of all groups") {
    CHECK(throttled_periods(System({}).folder.path()) == 0);
    const System system(
        version_2("/a", "/",
                  {{"cpu.stat", "usage_usec 5\n"},
                   {"a/cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_usec 7\n"}}));
    CHECK(throttled_periods(system.folder.path()) == 4);
  }
}

#include "support/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "mpm_runner/model.hpp"

namespace mpm {

namespace fs = std::filesystem;

namespace {

// By controller, of version 2 by "".
using Groups = std::map<std::string, fs::path>;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream rest(text);
  for (std::string part; std::getline(rest, part, separator);) parts.push_back(part);
  return parts;
}

// Lines "5:cpu,cpuacct:/group".
Groups own_groups(const fs::path& root) {
  Groups groups;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string number, controllers, group; std::getline(file, number, ':') &&
                                               std::getline(file, controllers, ':') &&
                                               std::getline(file, group);) {
    if (controllers.empty()) groups[""] = group;
    for (const std::string& controller : split(controllers, ',')) groups[controller] = group;
  }
  return groups;
}

// A mounted hierarchy of control groups.
struct Mount {
  fs::path top;    // the group that is mounted
  fs::path point;  // where
  std::string kind;
  std::vector<std::string> options;
};

// A line "31 30 0:27 /top /point rw - cgroup cgroup rw,cpu".
Mount parse_mount(const std::string& line) {
  const auto middle = std::min(line.find(" - "), line.size());
  std::istringstream before(line.substr(0, middle));
  std::istringstream after(line.substr(std::min(middle + 3, line.size())));
  std::string skipped, top, point, kind, options;
  before >> skipped >> skipped >> skipped >> top >> point;
  after >> kind >> skipped >> options;
  return {top, point, kind, split(options, ',')};
}

// The one of the process's own groups that rules its time on CPUs there.
std::optional<fs::path> ruling_group(const Mount& mount, const Groups& own) {
  const bool has_cpu = std::ranges::find(mount.options, "cpu") != mount.options.end();
  if (mount.kind != "cgroup2" && !(mount.kind == "cgroup" && has_cpu)) return std::nullopt;
  const auto group = own.find(mount.kind == "cgroup" ? "cpu" : "");
  return group == own.end() ? std::nullopt : std::optional(group->second);
}

// Folders of the groups that rule this process's time on CPUs, the topmost first.
std::vector<fs::path> control_groups(const fs::path& root) {
  std::vector<fs::path> folders;
  const Groups own = own_groups(root);
  std::ifstream mounts(root / "proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const Mount mount = parse_mount(line);
    const std::optional<fs::path> group = ruling_group(mount, own);
    if (!group) continue;
    folders.push_back(root / mount.point.relative_path());
    // A container may see its own group alone, mounted as if it were the topmost.
    const fs::path below = group->lexically_relative(mount.top);
    if (below.empty() || *below.begin() == ".." || below == ".") continue;
    for (const fs::path& name : below) folders.push_back(folders.back() / name);
  }
  return folders;
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The cores' worth of time that a group may use; infinity without a quota.
double quota(const fs::path& group) {
  const fs::path version_2 = group / "cpu.max";
  std::istringstream words(fs::exists(version_2) ? read(version_2)
                                                 : read(group / "cpu.cfs_quota_us") +
                                                       read(group / "cpu.cfs_period_us"));
  double time = 0;
  double period = 0;
  const bool is_limited = words >> time >> period && time >= 0;  // not "max", not "-1"
  return is_limited ? time / period : INFINITY;
}

std::int64_t throttled(const fs::path& group) {
  std::ifstream file(group / "cpu.stat");
  std::string name;
  for (std::int64_t count = 0; file >> name >> count;) {
    if (name == "nr_throttled") return count;
  }
  return 0;
}

}  // namespace

int cores_of_affinity() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
  // A machine of more than 1024 cores, whose masks are longer.
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int available_cores(const fs::path& root) {
  double cores = cores_of_affinity();
  for (const fs::path& group : control_groups(root)) cores = std::min(cores, quota(group));
  return std::max(1, static_cast<int>(std::ceil(cores)));
}

int available_cores() { return available_cores("/"); }

std::int64_t throttled_periods(const fs::path& root) {
  std::int64_t sum = 0;
  for (const fs::path& group : control_groups(root)) sum += throttled(group);
  return sum;
}

}  // namespace mpm

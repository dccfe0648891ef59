#include "host_facts.hpp"

#include <sys/utsname.h>

#include <chrono>
#include <ctime>
#include <fstream>

namespace mpm::program {

namespace {

std::string cpu_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  utsname names;
  return uname(&names) == 0 ? names.machine : "unknown";
}

std::string os_name() {
  utsname names;
  if (uname(&names) != 0) return "unknown";
  return std::string(names.sysname) + " " + names.release + " " + names.machine;
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

}  // namespace

HostInfo host_facts(const DeviceInfo& device) {
  return {cpu_name(), available_cores(), device.threads, device.gpu, os_name(), utc_now()};
}

}  // namespace mpm::program

#include "host_facts.hpp"

#include <sys/utsname.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <map>

#include "artifact/host.hpp"

namespace mpm::program {

namespace {

using Facts = std::map<std::string, std::string>;

// Lines "key<tabs>: value"; of a key that each core has, the first core's.
Facts read_facts(std::istream& cpuinfo) {
  Facts facts;
  for (std::string line; std::getline(cpuinfo, line);) {
    const auto colon = line.find(": ");
    if (colon == std::string::npos || colon + 2 == line.size()) continue;
    const auto key_end = line.find_last_not_of("\t ", colon - 1) + 1;
    facts.emplace(line.substr(0, key_end), line.substr(colon + 2));
  }
  return facts;
}

std::string this_cpu() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::ifstream board("/proc/device-tree/model");
  return cpu_name(cpuinfo, board, machine_name());
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

// A virtual machine may hide which of a name it is, as "AMD EPYC" without a number.
std::string with_generation(const std::string& name, const Facts& facts) {
  const bool has_number = name.find_first_of("0123456789") != std::string::npos;
  if (has_number || !facts.contains("cpu family") || !facts.contains("model")) return name;
  return name + ", family " + facts.at("cpu family") + ", model " + facts.at("model");
}

}  // namespace

std::string cpu_name(std::istream& cpuinfo, std::istream& board, const std::string& machine) {
  const Facts facts = read_facts(cpuinfo);
  for (const char* key : {"model name", "Model"}) {
    if (facts.contains(key)) return with_generation(facts.at(key), facts);
  }
  std::string model;
  std::getline(board, model, '\0');
  if (!model.empty()) return model;
  if (!facts.contains("CPU implementer") || !facts.contains("CPU part")) return machine;
  return machine + ", implementer " + facts.at("CPU implementer") + ", part " +
         facts.at("CPU part");
}

HostInfo host_facts(const DeviceInfo& device) {
  return {this_cpu(), available_cores(), device.threads, device.gpu, os_name(), utc_now()};
}

}  // namespace mpm::program

#include "artifact/host.hpp"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "artifact/cuda_driver.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

using Problem = std::optional<std::string>;

std::string machine_name() {
  utsname names;
  return uname(&names) == 0 ? names.machine : "unknown";
}

std::string version(const std::array<int, 2>& capability) {
  return std::to_string(capability[0]) + "." + std::to_string(capability[1]);
}

Problem cpu_problem(const Requires& needs) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  const std::set<std::string> here = cpu_flags(cpuinfo);
  std::string missing;
  for (const std::string& flag : needs.cpu_isa) {
    if (!here.contains(flag)) missing += (missing.empty() ? "" : ", ") + flag;
  }
  if (missing.empty()) return {};
  return "built for a CPU with " + missing + ", which this one does not have";
}

Problem cuda_problem(const Requires& needs, const Device& device) {
  const int count = gpu_count();
  if (count == 0) return "asked to run on a CUDA device, and there is none on this machine";
  const std::optional<Gpu> gpu = find_gpu(device.index);
  if (!gpu) {
    return "asked to run on " + device.name() + ", and this machine has " + std::to_string(count);
  }
  if (needs.cuda_capability && *needs.cuda_capability != gpu->capability) {
    return "built for CUDA capability " + version(*needs.cuda_capability) + ", and this GPU has " +
           version(gpu->capability);
  }
  return {};
}

// Refuses another CUDA than the artifact's, whose library links the runtime of one version.
Problem version_problem(const Requires& needs) {
  const auto built = needs.versions.find("cuda");
  if (built == needs.versions.end()) return {};
  const std::string here = std::to_string(at::detail::getCUDAHooks().versionCUDART() / 1000);
  if (built->second.substr(0, built->second.find('.')) == here) return {};
  return "built with CUDA " + built->second + ", and torch " TORCH_VERSION " here brings CUDA " +
         here;
}

Problem host_problem(const Requires& needs, const Device& device, bool any_device) {
  if (needs.machine && *needs.machine != machine_name()) {
    return "built for " + *needs.machine + ", and this machine is " + machine_name();
  }
  const std::string kind = device.is_cuda ? "cuda" : "cpu";
  if (kind != needs.device && !any_device) {
    return "built for device \"" + needs.device + "\", and asked to run on \"" + device.name() +
           "\"";
  }
  return device.is_cuda ? cuda_problem(needs, device) : cpu_problem(needs);
}

}  // namespace

std::string Device::name() const { return is_cuda ? "cuda:" + std::to_string(index) : "cpu"; }

Device parse_device(const std::string& name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {.is_cuda = true};
  const std::string index = name.starts_with("cuda:") ? name.substr(5) : "";
  if (index.empty() || index.size() > 2 ||
      index.find_first_not_of("0123456789") != std::string::npos) {
    throw InputError("device: expected \"cpu\", \"cuda\" or \"cuda:1\", got \"" + name + "\"");
  }
  return {.is_cuda = true, .index = std::stoi(index)};
}

std::set<std::string> cpu_flags(std::istream& cpuinfo) {
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

void check_host(const Manifest& manifest, const Device& device,
                const std::filesystem::path& artifact, bool any_device) {
  Problem problem = host_problem(manifest.requires_, device, any_device);
  if (!problem && device.is_cuda && !c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA)) {
    throw HostError(artifact.string() + ": this program was built with a torch for CPUs",
                    "build it with one for CUDA: cmake -DMPM_PYTHON=PYTHON ...");
  }
  if (!problem && device.is_cuda) problem = version_problem(manifest.requires_);
  if (!problem) return;
  // An artifact holds its recipe with all that was set, so it can stand for one.
  throw HostError(artifact.string() + ": " + *problem,
                  "rebuild it on this machine: mpm-deploy build --recipe " + artifact.string() +
                      " -o " + artifact.filename().string());
}

}  // namespace mpm

#include "artifact/host.hpp"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#include "artifact/cuda_driver.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

// What an artifact was built for that this machine is not; what helps beside a rebuild.
struct Misfit {
  std::string problem;
  std::string or_else;
};

// Why a device is not there for the artifact, and the cure; rebuilding is none.
struct Missing {
  std::string problem;
  std::string cure;
};

const std::map<std::string, std::string> recipe_for{{"cpu", "cpu_fp32"}, {"cuda", "h100_bf16"}};

constexpr auto for_a_level =
    "; or once for all CPUs of a level, on any of them: --set backend.cpu=x86-64-v3, or another "
    "level that they have";

std::optional<Misfit> cpu_misfit(const Requires& needs) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  const std::set<std::string> here = cpu_flags(cpuinfo);
  std::string missing;
  for (const std::string& flag : needs.cpu_isa) {
    if (!here.contains(flag)) missing += (missing.empty() ? "" : ", ") + flag;
  }
  if (missing.empty()) return {};
  return Misfit{"built for a CPU with " + missing + ", which this one does not have",
                needs.machine == "x86_64" ? for_a_level : ""};
}

// Refuses another CUDA than the artifact's, whose library links the runtime of one version.
std::optional<Misfit> version_misfit(const Requires& needs) {
  const auto built = needs.versions.find("cuda");
  if (built == needs.versions.end()) return {};
  const std::string here = std::to_string(at::detail::getCUDAHooks().versionCUDART() / 1000);
  if (built->second.substr(0, built->second.find('.')) == here) return {};
  return Misfit{
      "built with CUDA " + built->second + ", and torch " TORCH_VERSION " here brings CUDA " + here,
      ""};
}

std::optional<Misfit> cuda_misfit(const Requires& needs, const Device& device) {
  const std::optional<Gpu> gpu = find_gpu(device.index);
  if (gpu && needs.cuda_capability && *needs.cuda_capability != gpu->capability) {
    return Misfit{"built for CUDA capability " + written(*needs.cuda_capability) +
                      ", and this GPU has " + written(gpu->capability),
                  ""};
  }
  return version_misfit(needs);
}

std::optional<Misfit> misfit(const Requires& needs, const Device& device) {
  if (needs.machine && *needs.machine != machine_name()) {
    return Misfit{"built for " + *needs.machine + ", and this machine is " + machine_name(), ""};
  }
  return device.is_cuda ? cuda_misfit(needs, device) : cpu_misfit(needs);
}

std::string cure(const std::string& get, bool any_device) {
  if (any_device) return get + ", or run it on device 'cpu'";
  return get + ", or run one for CPUs on 'cpu': mpm-deploy build --recipe " + recipe_for.at("cpu");
}

std::string gpu_names(int count) {
  std::string names;
  for (int index = 0; index < count; ++index) {
    names += (index == 0 ? "'cuda:" : ", 'cuda:") + std::to_string(index) + "'";
  }
  return names;
}

std::optional<Missing> missing_gpu(const Device& device, bool any_device) {
  const std::string asked = "asked to run on '" + device.name() + "', and ";
  if (!c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA)) {
    return Missing{
        asked + "torch " TORCH_VERSION " is built for CPUs",
        cure("build this program with one for CUDA (cmake -DMPM_PYTHON=PYTHON ...)", any_device)};
  }
  if (!has_cuda_driver()) {
    return Missing{
        asked + "there is no NVIDIA driver on this machine",
        cure("install NVIDIA's driver (a container needs docker run --gpus all)", any_device)};
  }
  const int count = gpu_count();
  if (count == 0) {
    return Missing{asked + "NVIDIA's driver shows no GPU",
                   cure("have it show one (an old driver needs an update, CUDA_VISIBLE_DEVICES may "
                        "hide one, a container needs docker run --gpus all)",
                        any_device)};
  }
  if (device.index < count) return {};
  return Missing{asked + "this machine has " + gpu_names(count), "name one of those"};
}

std::optional<Missing> missing_device(const Requires& needs, const Device& device,
                                      bool any_device) {
  const std::string kind = device.is_cuda ? "cuda" : "cpu";
  if (kind != needs.device && !any_device) {
    return Missing{
        "built for device '" + needs.device + "', and asked to run on '" + device.name() + "'",
        "leave the device out, or build one for it: mpm-deploy build --recipe " +
            recipe_for.at(kind)};
  }
  return device.is_cuda ? missing_gpu(device, any_device) : std::nullopt;
}

}  // namespace

std::string Device::name() const { return is_cuda ? "cuda:" + std::to_string(index) : "cpu"; }

std::string machine_name() {
  utsname names;
  return uname(&names) == 0 ? names.machine : "unknown";
}

Device parse_device(const std::string& name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {.is_cuda = true};
  const std::string index = name.starts_with("cuda:") ? name.substr(5) : "";
  if (index.empty() || index.size() > 2 ||
      index.find_first_not_of("0123456789") != std::string::npos) {
    throw InputError("device: expected 'cpu', 'cuda' or 'cuda:1', got '" + name + "'");
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
  if (const auto missing = missing_device(manifest.requires_, device, any_device)) {
    throw HostError(artifact.string() + ": " + missing->problem, missing->cure);
  }
  const std::optional<Misfit> found = misfit(manifest.requires_, device);
  if (!found) return;
  // An artifact holds its recipe with all that was set, so it can stand for one.
  throw HostError(artifact.string() + ": " + found->problem,
                  "rebuild it on this machine: mpm-deploy build --recipe " + artifact.string() +
                      " -o " + artifact.filename().string() + found->or_else);
}

}  // namespace mpm

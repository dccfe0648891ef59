#include "backends/provider_names.hpp"

#include <map>

namespace mpm {

std::optional<std::string> short_name(const std::string& provider) {
  static const std::map<std::string, std::string> names{
      {"AzureExecutionProvider", "AZURE"},
      {"CPUExecutionProvider", "CPU"},
      {"CUDAExecutionProvider", "CUDA"},
      {"CoreMLExecutionProvider", "CoreML"},
      {"DmlExecutionProvider", "DML"},
      {"MIGraphXExecutionProvider", "MIGraphX"},
      {"NvTensorRTRTXExecutionProvider", "NvTensorRtRtx"},
      {"OpenVINOExecutionProvider", "OpenVINO"},
      {"QNNExecutionProvider", "QNN"},
      {"SNPEExecutionProvider", "SNPE"},
      {"TensorrtExecutionProvider", "TensorRT"},
      {"VitisAIExecutionProvider", "VitisAI"},
      {"WebGpuExecutionProvider", "WebGPU"},
      {"XnnpackExecutionProvider", "XNNPACK"},
  };
  const auto found = names.find(provider);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace mpm

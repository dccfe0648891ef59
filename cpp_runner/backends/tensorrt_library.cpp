#include "backends/tensorrt_library.hpp"

#include <ATen/ops/empty.h>
#include <NvInferRuntime.h>
#include <c10/core/DeviceGuard.h>
#include <c10/util/StringUtil.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>

#include "backends/engine_chain.hpp"
#include "backends/engine_input.hpp"
#include "backends/first_library.hpp"
#include "backends/heard.hpp"
#include "mpm_runner/error.hpp"

namespace mpm {

using namespace std::string_literals;

namespace {

#ifdef TRT_MAJOR_RTX
constexpr const char* flavor = "tensorrt_rtx";
constexpr const char* title = "TensorRT for RTX";
constexpr const char* file_name = "libtensorrt_rtx.so.";
#else
constexpr const char* flavor = "tensorrt";
constexpr const char* title = "TensorRT";
constexpr const char* file_name = "libnvinfer.so.";
#endif

constexpr const char* named_by = "MPM_TENSORRT_LIBRARY";

// Major, minor, patch and build, as the library counts.
using Version = std::array<int, 4>;

constexpr Version of_headers{NV_TENSORRT_MAJOR, NV_TENSORRT_MINOR, NV_TENSORRT_PATCH,
                             NV_TENSORRT_BUILD};

std::string written_out(const Version& version) {
  std::string text;
  for (const int number : version) text += (text.empty() ? "" : ".") + std::to_string(number);
  return text;
}

// The files to try, in this order.
std::vector<std::string> candidates() {
  if (const char* named = std::getenv(named_by)) return {named};
  std::vector<std::string> files{file_name + std::to_string(of_headers[0])};
  const std::string built_with = MPM_TENSORRT_FOUND;
  if (!built_with.empty()) files.insert(files.begin(), built_with);
  return files;
}

using CreateRuntime = void*(void* listener, std::int32_t version);

// The library, and the one function that all else is called through.
struct Opened {
  TensorRtLibrary library = {};
  CreateRuntime* create_runtime = nullptr;
};

std::optional<Version> version_of(void* library) {
  constexpr std::array names{"getInferLibMajorVersion", "getInferLibMinorVersion",
                             "getInferLibPatchVersion", "getInferLibBuildVersion"};
  Version version;
  for (std::size_t index = 0; index < names.size(); ++index) {
    using GetNumber = std::int32_t();
    const auto get = reinterpret_cast<GetNumber*>(dlsym(library, names[index]));
    if (get == nullptr) return std::nullopt;
    version[index] = get();
  }
  return version;
}

// Takes an open library, if it is one that these headers are of: it does not look by itself, and
// another one's classes lie elsewhere in memory. Its makers keep that within a major version.
// Throws std::runtime_error: it is another.
Opened taken(const std::string& file, void* library) {
  const std::optional<Version> version = version_of(library);
  const auto create =
      reinterpret_cast<CreateRuntime*>(dlsym(library, "createInferRuntime_INTERNAL"));
  if (!version || create == nullptr)
    throw std::runtime_error(file + ": expected " + title + "'s library, got another");
  if ((*version)[0] != of_headers[0] || *version < of_headers) {
    throw std::runtime_error(file + " is of version " + written_out(*version) +
                             ", and this program was built with the headers of " +
                             written_out(of_headers));
  }
  return {{{{flavor, written_out(*version)}}, ""}, create};
}

Opened open_library() {
  try {
    return first_library(candidates(), taken);
  } catch (const std::runtime_error& error) {
    return {.library = {{}, error.what() + ("; "s + named_by) + " names the file to open"}};
  }
}

const Opened& opened() {
  static const Opened found = open_library();
  return found;
}

// What the library tells its errors to, one for all engines: it keeps the first that it was told of
// for what is of no one engine.
class Listener : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* message) noexcept override {
    if (severity <= Severity::kWARNING) heard.hear(message, severity <= Severity::kERROR);
  }

  Heard heard;
};

// Never destroyed: the library may have something to say when this process ends.
Listener& listener() {
  static auto* const listener = new Listener;
  return *listener;
}

using nvinfer1::DataType;

constexpr std::array<std::pair<at::ScalarType, DataType>, 6> types{{
    {at::kFloat, DataType::kFLOAT},
    {at::kHalf, DataType::kHALF},
    {at::kBFloat16, DataType::kBF16},
    {at::kInt, DataType::kINT32},
    {at::kLong, DataType::kINT64},
    {at::kByte, DataType::kUINT8},
}};

at::ScalarType type_of(const std::string& name, DataType type) {
  const auto found = std::ranges::find(types, type, &decltype(types)::value_type::second);
  if (found == types.end()) throw std::runtime_error(name + ": a tensor of a type unknown here");
  return found->first;
}

nvinfer1::Dims dims_of(const at::Tensor& tensor) {
  nvinfer1::Dims dims{};
  dims.nbDims = static_cast<std::int32_t>(std::min<std::int64_t>(tensor.dim(), dims.MAX_DIMS));
  std::copy_n(tensor.sizes().begin(), dims.nbDims, dims.d);
  return dims;
}

class EngineStep : public Step {
 public:
  EngineStep(const std::string& engine, const at::Device& device) : device_(device) {
    const c10::DeviceGuard on(device);
    listener().heard.begin();
    runtime_.reset(static_cast<nvinfer1::IRuntime*>(
        opened().create_runtime(&listener(), NV_TENSORRT_VERSION)));
    require(runtime_ != nullptr, "CUDA cannot start: ");
    engine_.reset(runtime_->deserializeCudaEngine(engine.data(), engine.size()));
    require(engine_ != nullptr);
    context_.reset(engine_->createExecutionContext());
    require(context_ != nullptr);  // it is where the GPU's memory is short
    for (std::int32_t index = 0; index < engine_->getNbIOTensors(); ++index)
      add(engine_->getIOTensorName(index));
  }

  const std::vector<std::string>& inputs() const override { return inputs_; }

  NamedTensors run(const std::vector<at::Tensor>& inputs) const override {
    listener().heard.begin();
    // A copy may go once the engine is queued: what takes its memory then is queued behind.
    std::vector<at::Tensor> read;
    for (std::size_t index = 0; index < inputs.size(); ++index)
      read.push_back(given(inputs_[index], inputs[index]));
    NamedTensors outputs;
    for (const std::string& name : outputs_) outputs.emplace(name, make(name));
    void* stream = device_.is_cuda() ? current_stream(device_).native_handle() : nullptr;
    require(context_->enqueueV3(static_cast<cudaStream_t>(stream)));
    return outputs;
  }

 private:
  void add(const std::string& name) {
    const bool is_input = engine_->getTensorIOMode(name.c_str()) == nvinfer1::TensorIOMode::kINPUT;
    type(name);  // throws where it is none of libtorch's
    (is_input ? inputs_ : outputs_).push_back(name);
  }

  at::ScalarType type(const std::string& name) const {
    return type_of(name, engine_->getTensorDataType(name.c_str()));
  }

  // Has the engine read an input; gives what it reads.
  at::Tensor given(const std::string& name, const at::Tensor& input) const {
    const at::Tensor read = readable(name, input, type(name), device_);
    const std::string what = name + " of shape " + c10::str(read.sizes()) + ": ";
    require(context_->setInputShape(name.c_str(), dims_of(read)), what);
    require(context_->setTensorAddress(name.c_str(), read.mutable_data_ptr()), name + ": ");
    return read;
  }

  // Makes an output, whose shape follows from those of the inputs, for the engine to write.
  at::Tensor make(const std::string& name) const {
    const nvinfer1::Dims dims = context_->getTensorShape(name.c_str());
    require(dims.nbDims >= 0 && std::ranges::none_of(shape(dims), [](auto n) { return n < 0; }),
            name + ": ");
    at::Tensor output = at::empty(shape(dims), at::TensorOptions(device_).dtype(type(name)));
    require(context_->setTensorAddress(name.c_str(), output.mutable_data_ptr()), name + ": ");
    return output;
  }

  static at::IntArrayRef shape(const nvinfer1::Dims& dims) {
    return {dims.d, static_cast<std::size_t>(dims.nbDims)};
  }

  void require(bool holds, const std::string& what = {}) const {
    if (!holds) throw std::runtime_error(what + listener().heard.said());
  }

  const at::Device device_;
  // Each is made by the one before it, and goes before that does.
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
};

}  // namespace

const TensorRtLibrary& tensorrt_library(const std::filesystem::path&) { return opened().library; }

std::unique_ptr<Step> open_engine(const std::string& engine, const at::Device& device) {
  return std::make_unique<EngineStep>(engine, device);
}

}  // namespace mpm

// ONNX Runtime: segments/0.onnx, 1.onnx and so on, with their weights in segments/weights; those of
// an artifact for TensorRT too.

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "artifact/archive.hpp"
#include "backends/onnxruntime_library.hpp"
#include "backends/opened_once.hpp"
#include "backends/program.hpp"
#include "backends/provider_names.hpp"
#include "backends/segment_chain.hpp"
#include "mpm_runner/error.hpp"
#include "support/joined.hpp"
#include "support/temporary_folder.hpp"

namespace mpm {

namespace {

using Providers = std::vector<std::string>;

constexpr const char* cpu_provider = "CPUExecutionProvider";
constexpr std::string_view folder_of_segments = "segments/";

constexpr std::array<std::pair<at::ScalarType, ONNXTensorElementDataType>, 6> types{{
    {at::kByte, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {at::kInt, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {at::kLong, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {at::kFloat, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
    {at::kHalf, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {at::kBFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16},
}};

// A tensor of ONNX Runtime over the memory of one of libtorch's.
Ort::Value lent(const at::Tensor& tensor) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const auto type =
      std::ranges::find(types, tensor.scalar_type(), &decltype(types)::value_type::first);
  if (type == types.end()) throw std::runtime_error("a segment takes no such tensor");
  return Ort::Value::CreateTensor(memory, tensor.mutable_data_ptr(), tensor.nbytes(),
                                  tensor.sizes().data(), tensor.sizes().size(), type->second);
}

// A tensor of libtorch over the memory of one of ONNX Runtime's, which it keeps.
at::Tensor taken(Ort::Value value) {
  const auto shape = value.GetTensorTypeAndShapeInfo();
  const auto type =
      std::ranges::find(types, shape.GetElementType(), &decltype(types)::value_type::second);
  if (type == types.end()) throw std::runtime_error("a segment gives a tensor of another type");
  const auto kept = std::make_shared<Ort::Value>(std::move(value));
  return at::from_blob(
      kept->GetTensorMutableRawData(), shape.GetShape(), [kept](void*) {}, type->first);
}

std::vector<const char*> pointers(const std::vector<std::string>& names) {
  std::vector<const char*> texts;
  for (const std::string& name : names) texts.push_back(name.c_str());
  return texts;
}

// Threads may run it at once.
class SessionStep : public Step {
 public:
  explicit SessionStep(Ort::Session session) : session_(std::move(session)) {
    const Ort::AllocatorWithDefaultOptions memory;
    for (std::size_t index = 0; index < session_.GetInputCount(); ++index)
      inputs_.emplace_back(session_.GetInputNameAllocated(index, memory).get());
    for (std::size_t index = 0; index < session_.GetOutputCount(); ++index)
      outputs_.emplace_back(session_.GetOutputNameAllocated(index, memory).get());
  }

  const std::vector<std::string>& inputs() const override { return inputs_; }

  NamedTensors run(const std::vector<at::Tensor>& inputs) const override {
    std::vector<Ort::Value> given;
    for (const at::Tensor& input : inputs) given.push_back(lent(input));
    std::vector<Ort::Value> got =
        session_.Run(Ort::RunOptions{nullptr}, pointers(inputs_).data(), given.data(), given.size(),
                     pointers(outputs_).data(), outputs_.size());
    NamedTensors outputs;
    for (std::size_t index = 0; index < got.size(); ++index) {
      outputs.emplace(outputs_[index], taken(std::move(got[index])));
    }
    return outputs;
  }

 private:
  mutable Ort::Session session_;  // whose Run is safe to be called by threads at once
  std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
};

// The execution providers that an artifact is for, the preferred one first.
Providers providers_of(const std::filesystem::path& artifact, const Manifest& manifest) {
  const auto& details = manifest.requires_.details;
  const auto found = details.find("providers");
  if (found == details.end()) return {cpu_provider};
  const auto named = nlohmann::json::parse(found->second);
  const auto is_name = [](const nlohmann::json& name) { return name.is_string(); };
  if (!named.is_array() || !std::ranges::all_of(named, is_name)) {
    throw ArtifactError(artifact.string() +
                            ": manifest: requires.details.providers: expected names, got " +
                            found->second,
                        rebuild_hint);
  }
  return named.get<Providers>();
}

// Similarities of tokens are float32: by itself this provider multiplies float32 as TF32.
void append_cuda(Ort::SessionOptions& options) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&made));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> cuda(
      made, api.ReleaseCUDAProviderOptions);
  const char* const key = "use_tf32";
  const char* const off = "0";
  Ort::ThrowOnError(api.UpdateCUDAProviderOptions(cuda.get(), &key, &off, 1));
  options.AppendExecutionProvider_CUDA_V2(*cuda);
}

void append_tensorrt(Ort::SessionOptions& options) {
  const OrtApi& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&made));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)>
      tensorrt(made, api.ReleaseTensorRTProviderOptions);
  options.AppendExecutionProvider_TensorRT_V2(*tensorrt);
}

// What computes a segment; what none of them does, the CPU's own does.
void append(Ort::SessionOptions& options, const Providers& providers) {
  for (const std::string& provider : providers) {
    const std::string name = short_name(provider).value();  // which was checked before
    if (name == "CPU") return;
    if (name == "CUDA")
      append_cuda(options);
    else if (name == "TensorRT")
      append_tensorrt(options);
    else
      options.AppendExecutionProvider(name, {});
  }
}

// Never destroyed: what is static elsewhere may have a session open for longer.
Ort::Env& environment() {
  static auto* const environment = new Ort::Env(ORT_LOGGING_LEVEL_ERROR, "mpm");
  return *environment;
}

Ort::Session open_session(const std::filesystem::path& file, const Providers& providers,
                          int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  // Each session has threads of its own. Those of one would burn cores, waiting for its next call,
  // while the next session computes.
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  append(options, providers);
  return {environment(), file.c_str(), options};
}

// Opens the segments that lie in a folder, in order; the folder may go once they are open.
std::shared_ptr<Steps> open_folder(const std::filesystem::path& folder, std::size_t count,
                                   const Providers& providers, int threads) {
  const auto file_of = [&](std::size_t index) {
    return folder / (std::to_string(index) + ".onnx");
  };
  if (std::filesystem::exists(file_of(count)))
    throw std::runtime_error("expected a segment more than merges, found others");
  auto steps = std::make_shared<Steps>();
  for (std::size_t index = 0; index < count; ++index) {
    auto session = open_session(file_of(index), providers, threads);
    steps->push_back(std::make_unique<SessionStep>(std::move(session)));
  }
  return steps;
}

std::shared_ptr<void> open_segments(const std::filesystem::path& artifact,
                                    const std::string& payload_sha256, std::size_t count,
                                    const Providers& providers, int threads) {
  const TemporaryFolder folder(for_temporary_files());
  const auto target_of = [&](const std::string& name) -> std::optional<std::filesystem::path> {
    if (!name.starts_with(folder_of_segments)) return std::nullopt;
    const std::string file = name.substr(folder_of_segments.size());
    return file.find('/') == std::string::npos ? std::optional(folder.path / file) : std::nullopt;
  };
  Archive(artifact).unpack_checked(payload_sha256, target_of);
  return open_folder(folder.path, count, providers, threads);
}

// Runs an image on one thread, or on several where the caller's operators have several. A session
// keeps the number of threads that it was opened with. So there are two chains: one for images that
// run on a thread each, and one that is opened anew where more threads are wanted than it has.
class OnnxRuntimeProgram : public Program {
 public:
  OnnxRuntimeProgram(const std::filesystem::path& artifact, const Manifest& manifest, int threads)
      : Program(manifest.batch, threads),
        artifact_(artifact),
        manifest_(manifest),
        providers_(providers_of(artifact, manifest)),
        one_(open(1)) {}

 private:
  ModelOutput run_scores(const at::Tensor& images) const override {
    return run_told(artifact_, [&] {
      return chain()->call<Steps>(
          [&](const Steps& steps) { return run_chain(steps, images, manifest_.patches()); });
    });
  }

  at::Tensor run_labels(const at::Tensor&, Size) const override {
    throw HostError(artifact_.string() + ": makes label maps on a CPU alone", "");
  }

  // The sessions that have as many threads as the caller's operators, or more; or one.
  std::shared_ptr<const OpenedOnce> chain() const {
    const int threads = at::get_num_threads();
    if (threads == 1) return one_;
    const std::lock_guard lock(mutex_);
    if (threads > wanted_) {
      wanted_ = threads;
      try {
        many_ = open(threads);
      } catch (const ArtifactError&) {  // another file lies there by now: what is open goes on
      }
    }
    return many_;
  }

  std::shared_ptr<OpenedOnce> open(int threads) const {
    const std::size_t count = manifest_.merge.blocks.size() + 1;
    return std::make_shared<OpenedOnce>(
        manifest_.payload_sha256,
        "segments on " + joined(providers_) + " with " + std::to_string(threads) + " threads",
        told_of(artifact_, manifest_,
                [=, artifact = artifact_, hash = manifest_.payload_sha256, on = providers_] {
                  return open_segments(artifact, hash, count, on, threads);
                },
                {"ONNX Runtime " + onnxruntime_library().version, "install that"}),
        [this] { Archive(artifact_).check_payload(manifest_.payload_sha256); });
  }

  const std::filesystem::path artifact_;
  const Manifest manifest_;
  const Providers providers_;
  const std::shared_ptr<OpenedOnce> one_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const OpenedOnce> many_ = one_;
  mutable int wanted_ = 1;  // the most threads that were
};

}  // namespace

void check_providers(const std::filesystem::path& artifact, const Manifest& manifest,
                     const Device&) {
  const Providers wanted = providers_of(artifact, manifest);
  const OnnxRuntimeLibrary& library = onnxruntime_library();
  const std::string for_cpu = "mpm-deploy build --recipe " + artifact.string() +
                              " --set 'backend.providers=[\"" + cpu_provider + "\"]'";
  Providers missing;
  Providers unknown;
  for (const std::string& name : wanted) {
    if (std::ranges::find(library.providers, name) == library.providers.end())
      missing.push_back(name);
    else if (!short_name(name))
      unknown.push_back(name);
  }
  if (!missing.empty()) {
    throw HostError(
        artifact.string() + ": for " + joined(missing) + ", and ONNX Runtime " + library.version +
            " here has " + joined(library.providers),
        "install a build of ONNX Runtime that has it, as onnxruntime-gpu; or build for the CPU: " +
            for_cpu);
  }
  if (!unknown.empty()) {
    throw HostError(
        artifact.string() + ": for " + joined(unknown) + ", which this program cannot ask for",
        "run it with `mpm-deploy run`, which can; or build for the CPU: " + for_cpu);
  }
}

std::unique_ptr<Program> load_onnxruntime(const std::filesystem::path& artifact,
                                          const Manifest& manifest, const at::Device&,
                                          int threads) {
  return std::make_unique<OnnxRuntimeProgram>(artifact, manifest, threads);
}

}  // namespace mpm

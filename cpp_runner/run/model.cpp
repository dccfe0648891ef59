#include "mpm_runner/model.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <mutex>

#include "artifact/archive.hpp"
#include "artifact/claimed_manifest.hpp"
#include "artifact/cuda_driver.hpp"
#include "artifact/host.hpp"
#include "artifact/trust.hpp"
#include "backends/program.hpp"
#include "backends/window_labels.hpp"
#include "run/device_stream.hpp"
#include "support/home_process.hpp"
#include "support/neighbors.hpp"
#include "support/task_thread.hpp"
#include "support/threads.hpp"

namespace mpm {

struct Batch::Data {
  at::Tensor images;  // (B, 3, H, W) uint8, on the device
};

struct Scores::Data {
  Data(at::Tensor given_scores, at::Tensor given_merge_maps)
      : scores(std::move(given_scores)), merge_maps_(std::move(given_merge_maps)) {}

  // (B, M, N) int32, in host memory: copied at once for all images, by whoever asks first.
  const at::Tensor& merge_maps() const {
    std::call_once(copied_, [this] { merge_maps_ = merge_maps_.cpu().contiguous(); });
    return merge_maps_;
  }

  const at::Tensor scores;  // (B, K, h, w) float32, on the device

 private:
  mutable std::once_flag copied_;
  mutable at::Tensor merge_maps_;  // on the device until it is copied
};

namespace {

DeviceInfo describe(const Device& device, int threads) {
  const std::optional<Gpu> gpu = device.is_cuda ? find_gpu(device.index) : std::nullopt;
  DeviceInfo info{device.name(), threads, std::nullopt};
  if (gpu) info.gpu = gpu->name;
  return info;
}

}  // namespace

struct Model::State {
  State(std::filesystem::path path, Manifest read, const Device& where, int threads)
      : artifact(std::move(path)),
        manifest(std::move(read)),
        device(where.name()),
        copying(device),
        scoring(device),
        labeling(device),
        neighbors(where.is_cuda ? 1 : threads),
        device_info(describe(where, threads)),
        thread([threads] { use_intra_op_threads(threads); }) {
    if (device.is_cuda()) use_here();  // what a GPU holds does not survive a fork either
  }

  void use_here() const { home.check(artifact.string() + ": this Runner was opened"); }

  const std::filesystem::path artifact;
  const Manifest manifest;
  const at::Device device;
  const DeviceStream copying;
  const DeviceStream scoring;
  const DeviceStream labeling;
  // The windows' scores in the grid's order: (windows, K, h, w).
  static at::Tensor join(std::span<const ScoredWindow> windows, const WindowGrid& grid) {
    if (windows.size() != grid.windows()) {
      throw InputError("windows: expected " + std::to_string(grid.windows()) + ", got " +
                       std::to_string(windows.size()));
    }
    std::vector<at::Tensor> scores;
    for (const ScoredWindow& window : windows) {
      const auto index = static_cast<std::int64_t>(window.index);
      scores.push_back(window.scores.data_->scores.slice(0, index, index + 1));
    }
    return at::cat(scores);
  }

  const HomeProcess home;
  Neighbors neighbors;  // of the model's thread
  const DeviceInfo device_info;
  std::unique_ptr<const Program> program;
  const TaskThread thread;
};

namespace {

constexpr double sample_agreement = 0.999;

// labels: (height, width) uint8 or int16, contiguous, on the CPU.
LabelMap to_label_map(const at::Tensor& labels, Size size) {
  const auto copy = [&](const auto* begin) {
    return LabelMap{size, std::vector<std::uint16_t>(begin, begin + labels.numel())};
  };
  if (labels.scalar_type() == at::kByte) return copy(labels.const_data_ptr<std::uint8_t>());
  return copy(labels.const_data_ptr<std::int16_t>());
}

// scores: (K, rows, columns) float32, contiguous, on the CPU.
ScoreMap to_score_map(const at::Tensor& scores) {
  const float* begin = scores.const_data_ptr<float>();
  return {static_cast<int>(scores.size(0)),
          {static_cast<int>(scores.size(1)), static_cast<int>(scores.size(2))},
          std::vector<float>(begin, begin + scores.numel())};
}

// Of these no label can be made. The sum of many finite numbers is hardly ever infinite, and costs
// a fiftieth of a look at each.
void check_finite(const at::Tensor& scores) {
  const c10::InferenceMode inference;
  if (std::isfinite(scores.sum().item<float>()) || scores.isfinite().all().item<bool>()) return;
  throw ModelError("the model gives scores that are not finite",
                   "numbers in it grow too large for its type: --set backend.dtype=float32");
}

std::size_t pixels_of(Size size) {
  return static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
}

FittedImage stored_sample(const Archive& archive, Size size) {
  const std::string bytes = archive.read(Archive::sample_image, 3 * pixels_of(size));
  return {size, {bytes.begin(), bytes.end()}};
}

// Labels of one byte each, or past 256 classes of two, the low one first.
std::vector<std::uint16_t> stored_labels(const Archive& archive, Size size, std::size_t classes) {
  const std::size_t width = classes <= 256 ? 1 : 2;
  const std::string bytes = archive.read(Archive::sample_labels, width * pixels_of(size));
  std::vector<std::uint16_t> labels;
  for (std::size_t i = 0; i + width <= bytes.size(); i += width) {
    const int high = width == 2 ? static_cast<std::uint8_t>(bytes[i + 1]) : 0;
    labels.push_back(static_cast<std::uint16_t>(high << 8 | static_cast<std::uint8_t>(bytes[i])));
  }
  return labels;
}

double share_of_equal(const LabelMap& labels, const std::vector<std::uint16_t>& expected) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) equal += labels.labels[i] == expected[i];
  return static_cast<double>(equal) / static_cast<double>(expected.size());
}

std::string percent(double share, const char* format = "%.2f %%") {
  char text[32];
  std::snprintf(text, sizeof text, format, 100 * share);
  return text;
}

}  // namespace

std::size_t Batch::images() const { return static_cast<std::size_t>(data_->images.size(0)); }

Batch Batch::image(std::size_t index) const {
  const auto first = static_cast<std::int64_t>(index);
  Batch one;
  one.data_ = std::make_shared<Data>(Data{data_->images.slice(0, first, first + 1)});
  return one;
}

std::size_t Scores::images() const { return static_cast<std::size_t>(data_->scores.size(0)); }

MergeMaps Scores::merge_maps(std::size_t image) const {
  const at::Tensor maps = data_->merge_maps()[static_cast<std::int64_t>(image)];  // (M, N)
  MergeMaps copies;
  for (std::int64_t merge = 0; merge < maps.size(0); ++merge) {
    const at::Tensor map = maps[merge];
    const std::int32_t* begin = map.const_data_ptr<std::int32_t>();
    copies.emplace_back(begin, begin + map.numel());
  }
  return copies;
}

std::vector<int> tokens_kept(const MergeMaps& merge_maps) {
  std::vector<int> kept;
  for (const std::vector<std::int32_t>& map : merge_maps) {
    kept.push_back(*std::max_element(map.begin(), map.end()) + 1);
  }
  return kept;
}

namespace {

// The device that an artifact was built for, if this program knows that kind.
Device own_device(const std::filesystem::path& artifact, const Manifest& manifest) {
  const std::string& device = manifest.requires_.device;
  if (device != "cpu" && device != "cuda") {
    throw HostError(artifact.string() + ": built for device \"" + device +
                        "\", and this program runs on \"cpu\" and \"cuda\"",
                    "rebuild it for one of these, or update this program");
  }
  return parse_device(device);
}

}  // namespace

Model::Model(const std::filesystem::path& artifact, const ModelOptions& options) {
  check_thread_count("threads", options.threads.value_or(1));
  Manifest manifest = read_claimed_manifest(artifact, asked_trust(options.trust));
  const Device device =
      options.device ? parse_device(*options.device) : own_device(artifact, manifest);
  check_host_of(artifact, manifest, device);
  const int own_choice = std::min(at::get_num_threads(), available_cores());
  const int threads = options.threads.value_or(own_choice);
  state_.reset(new State(artifact, std::move(manifest), device, threads));
  // On a thread that ends with it: the model's own starts where the model is first used.
  TaskThread().run([&] {
    state_->scoring.run(
        [&] { state_->program = load_program(artifact, state_->manifest, device, threads); });
  });
}

// Its threads cannot be joined where they are not.
void Model::Leave::operator()(State* state) const {
  if (!state->home.is_elsewhere()) delete state;
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const Manifest& Model::manifest() const { return state_->manifest; }
const DeviceInfo& Model::device() const { return state_->device_info; }

Batch Model::copy(std::span<const FittedImage> images) const {
  state_->use_here();
  const c10::InferenceMode inference;
  const Size size{manifest().input.height, manifest().input.width};
  if (images.empty()) throw InputError("images: expected one or more, got none");
  const auto count = static_cast<std::int64_t>(images.size());
  // A GPU copies from pinned memory by itself, while it computes.
  const auto options = at::TensorOptions(at::kByte).pinned_memory(state_->device.is_cuda());
  at::Tensor batch = at::empty({count, 3, size.height, size.width}, options);
  auto* target = batch.mutable_data_ptr<std::uint8_t>();
  const auto bytes = static_cast<std::size_t>(batch.numel()) / images.size();
  for (const FittedImage& image : images) {
    if (image.size != size || image.planes.size() != bytes) {
      throw InputError("images: expected " + std::to_string(size.height) + " x " +
                       std::to_string(size.width) + ", got " + std::to_string(image.size.height) +
                       " x " + std::to_string(image.size.width));
    }
    target = std::copy(image.planes.begin(), image.planes.end(), target);
  }
  Batch result;
  state_->copying.run([&] {
    constexpr bool non_blocking = true;
    result.data_ =
        std::make_shared<Batch::Data>(Batch::Data{batch.to(state_->device, non_blocking)});
  });
  return result;
}

Scores Model::scores(const Batch& batch) const {
  state_->use_here();
  ModelOutput output;
  state_->thread.run([&] {
    state_->scoring.run([&] {
      state_->neighbors.look();
      output = state_->program->scores(batch.data_->images);
      check_finite(output.scores);
    });
  });
  Scores result;
  result.data_ =
      std::make_shared<Scores::Data>(std::move(output.scores), std::move(output.merge_maps));
  return result;
}

LabelMap Model::labels(const Scores& scores, std::size_t image, Size size) const {
  const c10::InferenceMode inference;
  const auto index = static_cast<std::int64_t>(image);
  const at::Tensor one = scores.data_->scores.slice(0, index, index + 1);  // (1, K, h, w)
  at::Tensor labels;                                                       // (height, width)
  state_->labeling.run([&] { labels = state_->program->labels(one, size)[0].cpu(); });
  return to_label_map(labels.contiguous(), size);
}

LabelMap Model::labels(std::span<const ScoredWindow> windows, const WindowGrid& grid,
                       Size size) const {
  const c10::InferenceMode inference;
  at::Tensor labels;  // (height, width)
  state_->labeling.run([&] {
    labels = state_->program->window_labels(State::join(windows, grid), grid, size).cpu();
  });
  return to_label_map(labels.contiguous(), size);
}

ScoreMap Model::score_map(const Scores& scores, std::size_t image) const {
  const c10::InferenceMode inference;
  at::Tensor one;  // (K, h, w)
  state_->labeling.run([&] { one = scores.data_->scores[static_cast<std::int64_t>(image)].cpu(); });
  return to_score_map(one.contiguous());
}

ScoreMap Model::score_map(std::span<const ScoredWindow> windows, const WindowGrid& grid) const {
  const c10::InferenceMode inference;
  const OneThread one_thread;
  at::Tensor means;  // (K, height, width)
  state_->labeling.run([&] { means = window_means(State::join(windows, grid), grid).cpu(); });
  return to_score_map(means);
}

double Model::check_sample() const {
  const Archive archive(state_->artifact);
  const Size size{manifest().input.height, manifest().input.width};
  const FittedImage sample = stored_sample(archive, size);
  const std::vector<std::uint16_t> expected =
      stored_labels(archive, size, manifest().model.classes.size());
  if (sample.planes.size() != 3 * pixels_of(size) || expected.size() != pixels_of(size)) {
    throw ArtifactError(state_->artifact.string() + ": its sample is not of its input's size",
                        rebuild_hint);
  }
  const LabelMap labels = this->labels(scores(copy({&sample, 1})), 0, size);
  const double share = share_of_equal(labels, expected);
  if (share < sample_agreement) {
    throw ArtifactError(state_->artifact.string() + ": on its own sample " + percent(share) +
                            " of the labels are those it gave when it was built, expected at "
                            "least " +
                            percent(sample_agreement, "%.1f %%"),
                        "rebuild it on this machine, and please report it");
  }
  return share;
}

}  // namespace mpm

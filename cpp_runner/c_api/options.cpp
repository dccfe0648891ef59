#include "c_api/options.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace mpm::c_api {

namespace {

constexpr std::size_t largest = 4096;  // of any: a larger size was never set

// What a caller of another version has set, as this one knows it. Each ends with `reserved`, and
// had that size in its first version.
template <typename Given>
Given known(const Given& given, const char* type) {
  static_assert(sizeof(Given) == offsetof(Given, reserved) + sizeof(std::int32_t));
  if (given.size < sizeof given || given.size > largest) {
    throw InputError("options: expected their size, " + std::to_string(sizeof given) + ", got " +
                         std::to_string(given.size),
                     std::string(type) + " options = {.size = sizeof options};");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
  const auto* first_unknown = bytes + offsetof(Given, reserved);
  if (std::any_of(first_unknown, bytes + given.size, [](auto byte) { return byte != 0; })) {
    throw InputError("options: one is set that this library, of ABI " +
                         std::to_string(MPM_ABI_VERSION) + ", does not know",
                     "update libmpm_runner, or leave that option out");
  }
  return given;
}

// 0 is how C says that nothing is set.
std::optional<int> number(std::int32_t value) {
  return value == 0 ? std::nullopt : std::optional<int>(value);
}

template <typename Text>
std::optional<Text> text(const char* value) {
  return value == nullptr ? std::nullopt : std::optional<Text>(value);
}

LabelSize label_size(mpm_label_size size) {
  if (size == MPM_LABEL_SIZE_IMAGE) return LabelSize::image;
  if (size == MPM_LABEL_SIZE_INPUT) return LabelSize::input;
  throw InputError("label_size: expected MPM_LABEL_SIZE_IMAGE or MPM_LABEL_SIZE_INPUT, got " +
                   std::to_string(size));
}

}  // namespace

RunnerOptions options_of(const mpm_runner_options* options) {
  if (options == nullptr) return {};
  const mpm_runner_options set = known(*options, "mpm_runner_options");
  return {
      .device = text<std::string>(set.device),
      .threads = number(set.threads),
      .workers = number(set.workers),
      .label_size = label_size(set.label_size),
      .stride = number(set.stride),
      .max_pixels = number(set.max_pixels),
      .trust = text<std::filesystem::path>(set.trust),
  };
}

VideoOptions options_of(const mpm_video_options* options) {
  VideoOptions taken;
  if (options == nullptr) return taken;
  const mpm_video_options set = known(*options, "mpm_video_options");
  if (set.reconnect != 0) taken.reconnect = set.reconnect == -1 ? 0 : set.reconnect;
  if (set.reconnect_wait != 0) taken.reconnect_wait = set.reconnect_wait;
  if (set.timeout != 0) taken.timeout = set.timeout;
  return taken;
}

Outputs outputs_of(mpm_outputs outputs) {
  if ((outputs & ~mpm_outputs{MPM_LABELS | MPM_SCORES | MPM_PROBABILITIES}) != 0) {
    throw InputError(
        "outputs: expected MPM_LABELS, MPM_SCORES and MPM_PROBABILITIES joined by |, got " +
        std::to_string(outputs));
  }
  return {(outputs & MPM_LABELS) != 0, (outputs & MPM_SCORES) != 0,
          (outputs & MPM_PROBABILITIES) != 0};
}

}  // namespace mpm::c_api

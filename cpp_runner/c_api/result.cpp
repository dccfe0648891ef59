#include "c_api/result.hpp"

#include <type_traits>
#include <utility>

#include "support/utf8.hpp"

namespace mpm::c_api {

std::unique_ptr<mpm_result> result_of(Stream::Item item) {
  auto made = std::make_unique<mpm_result>();
  if (auto* skipped = std::get_if<Skipped>(&item)) {
    made->result.source = std::move(skipped->path);
    made->reason = escaped(skipped->reason);
  } else {
    made->result = std::get<Result>(std::move(item));
  }
  return made;
}

namespace {

// The grid of either; both have the same where both are there.
Size grid_of(const Result& result) {
  return result.scores.values.empty() ? result.probabilities.size : result.scores.size;
}

// NULL of what is empty.
template <typename T>
const T* data_of(const std::vector<T>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

}  // namespace mpm::c_api

using namespace mpm::c_api;

const char* mpm_result_reason(const mpm_result* result) {
  return result->reason ? result->reason->c_str() : nullptr;
}

const char* mpm_result_source(const mpm_result* result) { return result->result.source.c_str(); }

int64_t mpm_result_index(const mpm_result* result) { return result->result.index; }

double mpm_result_time(const mpm_result* result) { return result->result.time.value_or(-1); }

int32_t mpm_result_height(const mpm_result* result) { return result->result.labels.size.height; }

int32_t mpm_result_width(const mpm_result* result) { return result->result.labels.size.width; }

const uint16_t* mpm_result_labels(const mpm_result* result) {
  return data_of(result->result.labels.labels);
}

int32_t mpm_result_score_rows(const mpm_result* result) { return grid_of(result->result).height; }

int32_t mpm_result_score_columns(const mpm_result* result) { return grid_of(result->result).width; }

const float* mpm_result_scores(const mpm_result* result) {
  return data_of(result->result.scores.values);
}

const float* mpm_result_probabilities(const mpm_result* result) {
  return data_of(result->result.probabilities.values);
}

int32_t mpm_result_merges(const mpm_result* result) {
  return static_cast<int32_t>(result->result.tokens_kept.size());
}

const int32_t* mpm_result_tokens_kept(const mpm_result* result) {
  static_assert(std::is_same_v<int, int32_t>);
  return data_of(result->result.tokens_kept);
}

double mpm_result_stage_ms(const mpm_result* result, mpm_stage stage) {
  const mpm::StageTimes& times = result->result.stages_ms;
  switch (stage) {
    case MPM_STAGE_DECODE:
      return times.decode;
    case MPM_STAGE_FIT:
      return times.fit;
    case MPM_STAGE_COPY:
      return times.copy;
    case MPM_STAGE_SCORES:
      return times.scores;
    case MPM_STAGE_LABELS:
      return times.labels;
    default:
      return 0;
  }
}

void mpm_result_free(mpm_result* result) { delete result; }

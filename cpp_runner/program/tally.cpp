#include "tally.hpp"

namespace mpm::program {

void Tally::add(const Stream::Item& item) {
  if (const auto* result = std::get_if<Result>(&item))
    add(*result);
  else
    skipped_.push_back(std::get<Skipped>(item));
}

void Tally::add(const Result& result) {
  const StageTimes& share = result.share_ms;
  stages_ms_.decode += share.decode;
  stages_ms_.fit += share.fit;
  stages_ms_.copy += share.copy;
  stages_ms_.scores += share.scores;
  stages_ms_.labels += share.labels;
  latencies_ms_.push_back(result.stages_ms.total());
  for (const WindowResult& window : result.windows) {
    tokens_kept_.push_back(window.tokens_kept);
    gflops_ += manifest_.flops_at(window.tokens_kept) / 1e9;
  }
}

Json Tally::to_json() const {
  const double images = static_cast<double>(latencies_ms_.size());
  const StageTimes mean{stages_ms_.decode / images, stages_ms_.fit / images,
                        stages_ms_.copy / images, stages_ms_.scores / images,
                        stages_ms_.labels / images};
  return {{"images", latencies_ms_.size()},
          {"windows", tokens_kept_.size()},
          {"latencies_ms", latencies_ms_},
          {"stages_ms", program::to_json(mean)},
          {"tokens_kept", program::to_json(summarize_tokens(tokens_kept_))},
          {"gflops", gflops_ / images},
          {"skipped", program::to_json(skipped_)}};
}

}  // namespace mpm::program

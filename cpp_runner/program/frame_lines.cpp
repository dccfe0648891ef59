#include "frame_lines.hpp"

namespace mpm::program {

namespace {

// Of each class, the share of the pixels that are labeled so.
std::vector<double> shares(const LabelMap& labels, std::size_t classes) {
  std::vector<double> shares(classes);
  for (const std::uint16_t label : labels.labels) ++shares.at(label);
  for (double& share : shares) share /= static_cast<double>(labels.labels.size());
  return shares;
}

}  // namespace

Json head_line(const std::filesystem::path& artifact, const Inputs& inputs,
               const Manifest& manifest) {
  return {{"schema", "mpm-frames/1"},
          {"artifact", artifact.filename().string()},
          {"source", inputs.name},
          {"live", inputs.source->is_live()},
          {"classes", manifest.model.classes}};
}

Json result_line(std::int64_t index, const Result& result, std::size_t classes) {
  return {{"index", index},
          {"name", result.source.string()},
          {"time", or_null(result.time)},
          {"shares", shares(result.labels, classes)},
          {"tokens_kept", result.tokens_kept}};
}

Json skipped_line(std::int64_t index, const Skipped& skipped) {
  return {{"index", index}, {"name", skipped.path.string()}, {"skipped", skipped.reason}};
}

Json end_line(std::int64_t written, std::int64_t skipped, const Losses& losses) {
  return {{"images", written},
          {"skipped", skipped},
          {"dropped", losses.dropped},
          {"broken", losses.broken},
          {"reconnects", losses.reconnects}};
}

}  // namespace mpm::program

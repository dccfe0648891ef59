#pragma once

// What was seen in each image or frame, as the JSON lines of docs/formats/video.md.

#include "inputs.hpp"
#include "json.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/result.hpp"

namespace mpm::program {

Json head_line(const std::filesystem::path& artifact, const Inputs& inputs,
               const Manifest& manifest);
// index: of the image or frame, from 1. classes: that there are.
Json result_line(std::int64_t index, const Result& result, std::size_t classes);
Json skipped_line(std::int64_t index, const Skipped& skipped);
Json end_line(std::int64_t written, std::int64_t skipped, const Losses& losses);

}  // namespace mpm::program

#include "mpm_runner/manifest.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

#include "artifact/archive.hpp"
#include "artifact/claimed_manifest.hpp"
#include "artifact/manifest_fields.hpp"
#include "artifact/trust.hpp"
#include "images/formats/raster.hpp"
#include "images/windows.hpp"
#include "mpm_runner/error.hpp"
#include "support/quoting.hpp"
#include "support/strict_json.hpp"

namespace mpm {

namespace {

constexpr const char* known_format = "mpm-artifact/2";
constexpr const char* format_1 = "mpm-artifact/1";
constexpr std::array<const char*, 3> fits{"resize", "slide", "slide_evenly"};
constexpr std::array<const char*, 2> score_kinds{"logits", "probabilities"};

Json parse(const std::string& text, const std::string& where) {
  try {
    check_json(text);
    return Json::parse(text);
  } catch (const JsonError& error) {
    throw ArtifactError(where + ": its manifest is not JSON: " + error.what(), rebuild_hint);
  }
}

void check_format(const Json& json, const std::string& where) {
  const Json format = json.is_object() ? json.value("format", Json()) : Json();
  if (format == format_1) {
    throw ArtifactError(
        where + ": written in format \"" + format_1 + "\", which is not run any more",
        "its recipe is still read: mpm-deploy build --recipe " + where + " -o NEW_FILE");
  }
  if (format != known_format) {
    throw ArtifactError(
        where + ": expected format \"" + known_format + "\", got " +
            shortened(format.dump(-1, ' ', true, Json::error_handler_t::replace)),
        "update this program, or rebuild the artifact: mpm-deploy build --recipe NAME");
  }
}

void check(bool holds, const char* key, const std::string& expected) {
  if (!holds) throw StructureError(key, "expected " + expected);
}

void check_windows(const InputInfo& input) {
  if (input.fit != "slide") {
    const std::string none = "none with fit \"" + input.fit + "\"";
    check(!input.stride, "input.stride", none);
    check(!input.short_side, "input.short_side", none);
    check(!input.max_ratio, "input.max_ratio", none);
    return;
  }
  const int stride = input.stride.value_or(0);
  const int side = input.short_side.value_or(0);
  const double ratio = input.max_ratio.value_or(0);
  check(stride >= 1 && stride <= std::min(input.height, input.width), "input.stride",
        "1 to a window's shorter side");
  check(side >= 1 && side <= largest_side, "input.short_side",
        "1 to " + std::to_string(largest_side));
  check(ratio >= 1 && ratio <= largest_ratio, "input.max_ratio",
        "1 to " + std::to_string(static_cast<int>(largest_ratio)));
}

const OutputInfo* find_output(const Manifest& manifest, const std::string& name) {
  const std::size_t index = manifest.output_index(name);
  return index < manifest.outputs.size() ? &manifest.outputs[index] : nullptr;
}

// What every reader uses of the outputs: scores (K, h, w), merge maps (M, N).
void check_outputs(const Manifest& manifest) {
  std::set<std::string> names;
  for (const OutputInfo& output : manifest.outputs) names.insert(output.name);
  check(names.size() == manifest.outputs.size(), "outputs", "names that differ");
  for (const OutputInfo& output : manifest.outputs) {
    check(!output.kind || std::ranges::count(score_kinds, *output.kind) == 1, "outputs",
          "kind \"logits\" or \"probabilities\"");
  }
  const OutputInfo* scores = find_output(manifest, "scores");
  check(scores && scores->shape.size() == 3 && std::ranges::min(scores->shape) > 0 &&
            std::cmp_equal(scores->shape[0], manifest.model.classes.size()),
        "outputs", "\"scores\" of shape [classes, down, across]");
  check(scores->dtype == "float32", "outputs", "\"scores\" in float32");
  const OutputInfo* maps = find_output(manifest, "merge_maps");
  check(maps && maps->dtype == "int32", "outputs", "\"merge_maps\" in int32");
  check(maps->shape.size() == 2 && std::cmp_equal(maps->shape[0], manifest.merge.blocks.size()) &&
            std::cmp_equal(maps->shape[1], manifest.patches()),
        "outputs", "\"merge_maps\" of shape [merges, patches]");
}

void check_blocks(const std::vector<int>& blocks) {
  check(blocks.empty() || blocks.front() >= 0, "merge.blocks", "indices from 0 up");
  check(std::ranges::adjacent_find(blocks, std::greater_equal()) == blocks.end(), "merge.blocks",
        "rising indices");
}

// What the types cannot say, and the runner relies on.
void check_values(const Manifest& manifest) {
  check(manifest.input.height > 0 && manifest.input.width > 0, "input", "a size above zero");
  check(std::ranges::count(fits, manifest.input.fit) == 1, "input.fit",
        "\"resize\", \"slide\" or \"slide_evenly\"");
  check(std::int64_t{manifest.input.height} * manifest.input.width <= default_max_pixels, "input",
        std::to_string(default_max_pixels) + " pixels at most");
  check_windows(manifest.input);
  check(manifest.model.patch_size >= 1 &&
            manifest.model.patch_size <= std::min(manifest.input.height, manifest.input.width),
        "model.patch_size", "1 to the shorter side of the input");
  check(manifest.model.special_tokens >= 0 && manifest.model.parameters >= 0, "model",
        "counts from 0 up");
  check_blocks(manifest.merge.blocks);
  check(manifest.agreement.clusters.size() == manifest.merge.blocks.size(), "agreement.clusters",
        "one a merge");
  check(!manifest.model.classes.empty(), "model.classes", "one class or more");
  check(manifest.model.palette.size() == manifest.model.classes.size(), "model.palette",
        "one color a class");
  check(manifest.batch.min >= 1 && manifest.batch.max >= manifest.batch.min, "batch",
        "1 <= min <= max");
  check(manifest.flops.stages.size() == manifest.merge.blocks.size() + 1, "flops.stages",
        "one more than merges");
  check_outputs(manifest);
}

Manifest parse_manifest(const std::string& text, const std::string& where) {
  const Json json = parse(text, where);
  check_format(json, where);
  try {
    Manifest manifest;
    manifest.json = text;
    read_structure(json, "", manifest);
    check_values(manifest);
    return manifest;
  } catch (const std::runtime_error& error) {
    throw ArtifactError(where + ": manifest: " + error.what(), rebuild_hint);
  } catch (const Json::exception& error) {
    throw ArtifactError(where + ": manifest: " + error.what(), rebuild_hint);
  }
}

}  // namespace

double Flops::total(const std::vector<int>& tokens) const {
  double sum = constant;
  for (std::size_t m = 0; m < stages.size(); ++m) {
    const double t = tokens.at(m);
    sum += (stages[m].linear + stages[m].quadratic * t) * t;
  }
  return sum;
}

int Manifest::patches() const {
  const auto along = [&](int side) { return (side - 1) / model.patch_size + 1; };
  return along(input.height) * along(input.width);
}

std::size_t Manifest::output_index(const std::string& name) const {
  const auto found = std::ranges::find(outputs, name, &OutputInfo::name);
  return static_cast<std::size_t>(found - outputs.begin());
}

std::string Manifest::score_kind() const {
  return find_output(*this, "scores")->kind.value_or("logits");
}

double Manifest::flops_at(const std::vector<int>& tokens_kept) const {
  std::vector<int> tokens{patches()};
  tokens.insert(tokens.end(), tokens_kept.begin(), tokens_kept.end());
  return flops.total(tokens);
}

double Manifest::flops_full_token() const {
  return flops.total(std::vector<int>(flops.stages.size(), patches()));
}

namespace {

Manifest claimed_manifest(const Archive& archive, const std::filesystem::path& artifact,
                          const std::optional<std::filesystem::path>& trust) {
  const std::string record = archive.read(Archive::manifest, Archive::largest_json);
  if (trust) check_signature(artifact, record, archive.read_signature(), *trust);
  return parse_manifest(record, artifact.string());
}

}  // namespace

Manifest read_claimed_manifest(const std::filesystem::path& artifact,
                               const std::optional<std::filesystem::path>& trust) {
  return claimed_manifest(Archive(artifact), artifact, trust);
}

Manifest read_manifest(const std::filesystem::path& artifact,
                       const std::optional<std::filesystem::path>& trust) {
  const Archive archive(artifact);
  Manifest manifest = claimed_manifest(archive, artifact, trust);
  archive.check_payload(manifest.payload_sha256);
  return manifest;
}

}  // namespace mpm

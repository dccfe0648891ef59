#pragma once

// What an artifact says of itself; docs/formats/artifact.md is the written format.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mpm {

using Color = std::array<std::uint8_t, 3>;  // red, green, blue

// The programs that made the artifact, and when (UTC, ISO 8601).
struct CreatedBy {
  std::string mpm_deploy;
  std::string torch;
  std::string created;
};

struct ModelInfo {
  std::string name;
  std::string backbone;
  std::string head;
  std::int64_t parameters;
  int patch_size;
  int special_tokens;
  std::vector<std::string> classes;
  std::vector<Color> palette;  // one color a class
};

// origin is "demo", "random" or a file's name.
struct WeightsOrigin {
  std::string origin;
  std::optional<std::string> sha256;

  bool is_random() const { return origin == "random"; }
};

// The artifact normalizes by itself; mean and std act on 0..1. Only where fit is "slide" there are
// a stride, a short side and a largest ratio of the long side to it.
struct InputInfo {
  int height;
  int width;
  std::array<double, 3> mean;
  std::array<double, 3> std;
  std::string fit;  // "resize", "slide" or "slide_evenly"
  std::optional<int> stride = {};
  std::optional<int> short_side = {};
  std::optional<double> max_ratio = {};
};

// The merge schedule, 0-based; no block is the full-token model. A method may be any, and merge at
// any place of a block; options are its own, as JSON text.
struct MergeInfo {
  std::string method;
  std::string place;  // "before_block", "after_attention", ...
  std::vector<int> blocks;
  std::string reconstruct;
  std::string options;
  std::optional<WeightsOrigin> weights = {};  // the method's own

  bool is_full_token() const { return blocks.empty(); }
};

// One of the tensors that `scores` gives, in its order; the shape is that for one image, behind the
// axis of the batch.
struct OutputInfo {
  std::string name;  // "scores", "merge_maps", or another
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::optional<std::string> kind = {};  // of scores: "logits" or "probabilities"
};

struct StageFlops {
  double linear;
  double quadratic;
};

// FLOPs of one image (a multiply-add counts 2), where t_0 is the number of patches and t_m the
// tokens kept after merge m:
//   constant + sum over m of (stages[m].linear * t_m + stages[m].quadratic * t_m^2)
struct Flops {
  double constant;
  std::vector<StageFlops> stages;

  // tokens: t_0, t_1, ..., t_M.
  double total(const std::vector<int>& tokens) const;
};

// Images that one call of `scores` takes.
struct BatchRange {
  int min;
  int max;
};

// What a host must be. cpu_isa names flags of /proc/cpuinfo, all of them needed; versions are those
// of the software that the artifact was built with.
struct Requires {
  std::string backend;
  std::string device;
  std::string dtype;
  std::map<std::string, std::string> versions;
  std::optional<std::string> machine = {};
  std::vector<std::string> cpu_isa = {};
  std::optional<std::array<int, 2>> cuda_capability = {};
  // What else the backend asks of a host, by its names, as JSON text.
  std::map<std::string, std::string> details = {};
};

// The artifact against the eager model when it was built: shares of equal labels and clusters.
struct Agreement {
  int images;
  double labels;
  std::vector<double> clusters;
};

struct Manifest {
  std::string json;  // all of it, as the file has it
  std::string format;
  CreatedBy created_by;
  std::string recipe;  // the recipe as built, JSON text
  ModelInfo model;
  WeightsOrigin weights;
  InputInfo input;
  MergeInfo merge;
  std::vector<OutputInfo> outputs;
  Flops flops;
  BatchRange batch;
  Requires requires_;  // "requires" is a C++ keyword
  Agreement agreement;
  std::string payload_sha256;

  // Patches of an input, t_0; those at its edges may reach beyond it.
  int patches() const;

  // Where an output stands among those of `scores`; behind the last, if it is not there.
  std::size_t output_index(const std::string& name) const;

  // "logits", whose softmax is a probability, or "probabilities": sums of such, from 0 up.
  std::string score_kind() const;

  // FLOPs of one image by its tokens kept after each merge, t_1 to t_M.
  double flops_at(const std::vector<int>& tokens_kept) const;

  // FLOPs of one image if no token were ever merged.
  double flops_full_token() const;
};

// Reads an artifact's manifest and checks that the rest of the file is what it was; nothing in it
// is loaded. trust: a public key in PEM, or a folder of them, one of which must have signed it; by
// default none must. Throws ArtifactError: missing, truncated, changed, foreign or newer; not
// signed with a trusted key. InputError: trust holds no keys, or what is none.
Manifest read_manifest(const std::filesystem::path& artifact,
                       const std::optional<std::filesystem::path>& trust = {});

}  // namespace mpm

#pragma once

// The fields of a manifest, by their names in its JSON.

#include "artifact/schema.hpp"
#include "mpm_runner/manifest.hpp"

namespace mpm {

// Found by the types of their arguments, so they are in the types' namespace. A field is read from
// JSON, or by another visitor written to it.

void list_fields(CreatedBy& created_by, auto& field) {
  field("mpm_deploy", created_by.mpm_deploy);
  field("torch", created_by.torch);
  field("created", created_by.created);
}

void list_fields(ModelInfo& model, auto& field) {
  field("name", model.name);
  field("backbone", model.backbone);
  field("head", model.head);
  field("parameters", model.parameters);
  field("patch_size", model.patch_size);
  field("special_tokens", model.special_tokens);
  field("classes", model.classes);
  field("palette", model.palette);
}

void list_fields(WeightsOrigin& weights, auto& field) {
  field("origin", weights.origin);
  field("sha256", weights.sha256);
}

void list_fields(InputInfo& input, auto& field) {
  field("height", input.height);
  field("width", input.width);
  field("mean", input.mean);
  field("std", input.std);
  field("fit", input.fit);
  field.or_missing("stride", input.stride);
  field.or_missing("short_side", input.short_side);
  field.or_missing("max_ratio", input.max_ratio);
}

void list_fields(MergeInfo& merge, auto& field) {
  JsonObject options{merge.options};
  field("method", merge.method);
  field("place", merge.place);
  field("blocks", merge.blocks);
  field("reconstruct", merge.reconstruct);
  field("options", options);
  field("weights", merge.weights);
  merge.options = options.text;
}

void list_fields(OutputInfo& output, auto& field) {
  field("name", output.name);
  field("dtype", output.dtype);
  field("shape", output.shape);
  field.or_missing("kind", output.kind);
}

void list_fields(StageFlops& stage, auto& field) {
  field("linear", stage.linear);
  field("quadratic", stage.quadratic);
}

void list_fields(Flops& flops, auto& field) {
  field("constant", flops.constant);
  field("stages", flops.stages);
}

void list_fields(BatchRange& batch, auto& field) {
  field("min", batch.min);
  field("max", batch.max);
}

void list_fields(Requires& needs, auto& field) {
  field("backend", needs.backend);
  field("device", needs.device);
  field("dtype", needs.dtype);
  std::map<std::string, Json> details;
  for (const auto& [name, text] : needs.details) details[name] = Json::parse(text);
  field("versions", needs.versions);
  field("machine", needs.machine);
  field("cpu_isa", needs.cpu_isa);
  field("cuda_capability", needs.cuda_capability);
  field("details", details);
  needs.details.clear();
  for (const auto& [name, value] : details) needs.details[name] = value.dump();
}

void list_fields(Agreement& agreement, auto& field) {
  field("images", agreement.images);
  field("labels", agreement.labels);
  field("clusters", agreement.clusters);
}

void list_fields(Manifest& manifest, auto& field) {
  JsonObject recipe{manifest.recipe};
  field("format", manifest.format);
  field("created_by", manifest.created_by);
  field("recipe", recipe);
  field("model", manifest.model);
  field("weights", manifest.weights);
  field("input", manifest.input);
  field("merge", manifest.merge);
  field("outputs", manifest.outputs);
  field("flops", manifest.flops);
  field("batch", manifest.batch);
  field("requires", manifest.requires_);
  field("agreement", manifest.agreement);
  field("payload_sha256", manifest.payload_sha256);
  manifest.recipe = recipe.text;
}

}  // namespace mpm

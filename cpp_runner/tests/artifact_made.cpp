#include "artifact_made.hpp"

#include <caffe2/serialize/inline_container.h>

#include "archive.hpp"

namespace mpm::tests {

namespace {

void write_zip(const std::filesystem::path& path, const std::string& manifest) {
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  const auto add = [&](const std::string& name, const std::string& bytes) {
    writer.writeRecord(name, bytes.data(), bytes.size());
  };
  add("code/model.py", std::string(3000, 'x'));
  add("data.pkl", "nothing to run");
  add(std::string(Archive::sample_image), std::string(3 * 32 * 32, '\7'));
  add(std::string(Archive::sample_labels), std::string(32 * 32, '\1'));
  add(std::string(Archive::manifest), manifest);
  writer.writeEndOfFile();
}

}  // namespace

Json make_manifest() {
  return Json::parse(R"({
    "format": "mpm-artifact/1",
    "created_by": {"mpm_deploy": "0.1.0", "torch": "2.15.0", "created": "2026-11-22T16:00:00Z"},
    "recipe": {"name": "cpu_fp32", "merge": {"method": "mpm"}},
    "model": {"name": "seg_t16_mask", "head": "mask_transformer", "parameters": 6710000,
              "patch_size": 16, "special_tokens": 1, "classes": ["sky", "road"],
              "palette": [[70, 130, 180], [128, 64, 128]]},
    "weights": {"origin": "random", "sha256": null},
    "input": {"height": 32, "width": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
              "fit": "resize"},
    "merge": {"method": "mpm", "before_blocks": [2, 5], "reconstruct": "after_decoder"},
    "flops": {"constant": 100, "stages": [{"linear": 10, "quadratic": 1},
              {"linear": 20, "quadratic": 2}, {"linear": 30, "quadratic": 3}]},
    "batch": {"min": 1, "max": 64},
    "requires": {"backend": "torchscript", "device": "cpu", "dtype": "float32",
                 "torch": "2.15.0", "machine": null, "cpu_isa": [], "cuda_capability": null},
    "agreement": {"images": 8, "labels": 0.99998, "clusters": [1.0, 1.0]},
    "payload_sha256": ""
  })");
}

void write_artifact(const std::filesystem::path& path, Json manifest) {
  if (manifest.contains("payload_sha256") && manifest["payload_sha256"] == "") {
    write_zip(path, manifest.dump());
    manifest["payload_sha256"] = Archive(path).payload_sha256();
  }
  write_zip(path, manifest.dump());
}

}  // namespace mpm::tests

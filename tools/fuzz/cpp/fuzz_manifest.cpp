// A manifest's JSON, in an archive whose only other record is "version"; manifests of the corpus
// name its hash.

#include "artifact/archive.hpp"
#include "memory_file.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "tests/artifact_made.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const mpm::fuzz::MemoryFile file;
  mpm::tests::write_zip(file.path(),
                        {{"fuzz/version", "3\n"},
                         {"fuzz/" + std::string(mpm::Archive::manifest), {data, data + size}}});
  try {
    mpm::read_manifest(file.path());
  } catch (const mpm::ArtifactError&) {
  }
  return 0;
}

#include "backends/engine_info.hpp"

#include <algorithm>
#include <iterator>

#include "artifact/archive.hpp"
#include "artifact/cuda_driver.hpp"
#include "artifact/schema.hpp"
#include "mpm_runner/error.hpp"
#include "support/joined.hpp"

namespace mpm {

// Found by the type of its argument, so it is in the type's namespace.
void list_fields(EngineInfo& engine, auto& field) {
  field("flavor", engine.flavor);
  field("version", engine.version);
  field("capability", engine.capability);
  field("machine", engine.machine);
  field("bytes", engine.bytes);
  field.or_missing("agreement", engine.agreement);
}

namespace {

constexpr const char* engines_key = "engines";  // the folder in the artifact too
constexpr const char* where = "requires.details.engines";

// A library that makes engines and runs them.
struct Flavor {
  std::string title;                  // its name in sentences
  std::vector<std::string> packages;  // what pip installs
};

const std::map<std::string, Flavor> flavors{
    {"tensorrt", {"TensorRT", {"tensorrt"}}},
    {"tensorrt_rtx",
     {"TensorRT for RTX", {"tensorrt-rtx-cu13-libs", "tensorrt-rtx-cu13-bindings"}}},
};

std::string title_of(const std::string& flavor) {
  const auto found = flavors.find(flavor);
  return found == flavors.end() ? flavor : found->second.title;
}

void check(bool holds, const std::string& key, const std::string& expected) {
  if (!holds) throw StructureError(key, "expected " + expected);
}

// Whether a text may be a part of a folder's name, of any length: the standard library's own
// expressions would call themselves for each letter.
bool is_part(const std::string& text) {
  const auto is_letter = [](char letter) {
    return ('a' <= letter && letter <= 'z') || ('A' <= letter && letter <= 'Z') ||
           ('0' <= letter && letter <= '9') || letter == '_';
  };
  const auto is_allowed = [&](char letter) {
    return is_letter(letter) || letter == '.' || letter == '+';
  };
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, is_allowed);
}

// Checks what the types cannot say.
void check_values(const EngineInfo& engine, std::size_t segments, const std::string& key) {
  constexpr const char* letters = "letters, digits, '.', '_' and '+'";
  check(is_part(engine.flavor), key + ".flavor", letters);
  check(is_part(engine.version), key + ".version", letters);
  check(is_part(engine.machine), key + ".machine", letters);
  check(std::ranges::min(engine.capability) >= 0, key + ".capability", "numbers from 0 up");
  check(engine.bytes.size() == segments && std::ranges::min(engine.bytes) > 0, key + ".bytes",
        std::to_string(segments) + " sizes above 0");
  const double agreement = engine.agreement.value_or(0);
  check(0 <= agreement && agreement <= 1, key + ".agreement", "0 to 1, or null");
}

std::vector<EngineInfo> read_engines(const Manifest& manifest) {
  std::vector<EngineInfo> engines;
  const auto listed = manifest.requires_.details.find(engines_key);
  if (listed == manifest.requires_.details.end()) return engines;
  read_structure(Json::parse(listed->second), where, engines);
  for (std::size_t index = 0; index < engines.size(); ++index) {
    check_values(engines[index], manifest.merge.blocks.size() + 1,
                 where + ("[" + std::to_string(index) + "]"));
  }
  return engines;
}

// Whether an engine's version is that of a library, as far as both count: on some machines, as a
// Jetson, the module in Python says "10.3.0" where the library says "10.3.0.30". Whichever of them
// made the engine, the numbers that both say decide, three at least; a library that differs in what
// is left refuses the engine itself.
bool is_same_version(const std::string& made, const std::string& here) {
  const auto& [shorter, longer] = std::ranges::minmax(made, here, {}, &std::string::size);
  return made == here ||
         (std::ranges::count(shorter, '.') >= 2 && longer.starts_with(shorter + "."));
}

std::string place(const std::array<int, 2>& capability, const std::string& machine) {
  return written(capability) + " on " + machine;
}

// Refuses a machine that has another GPU or processor than all engines.
[[noreturn]] void refuse_machine(const std::vector<EngineInfo>& engines, const Here& here,
                                 const std::string& artifact, const std::string& cure) {
  std::vector<std::string> places;
  for (const EngineInfo& engine : engines)
    places.push_back(place(engine.capability, engine.machine));
  throw HostError(artifact + ": its engines are for capability " + joined(places) +
                      ", and this is " + place(here.capability, here.machine),
                  cure);
}

// How to get what made an engine, and what else helps.
std::string install(const EngineInfo& engine, const std::string& or_else) {
  const auto flavor = flavors.find(engine.flavor);
  if (flavor == flavors.end()) return or_else;
  std::vector<std::string> packages;
  for (const std::string& name : flavor->second.packages)
    packages.push_back(name + "==" + engine.version);
  return "pip install " + joined(packages, " ") + "; or install another version, and " + or_else;
}

// Refuses a machine that has another version than engines that are for its GPU, or none.
[[noreturn]] void refuse_version(const std::vector<EngineInfo>& engines, const Here& here,
                                 const std::string& artifact, const std::string& cure) {
  std::vector<std::string> made_by;
  std::vector<std::string> others;
  for (const EngineInfo& engine : engines) made_by.push_back(engine.library());
  for (const auto& [flavor, version] : here.versions)
    others.push_back(title_of(flavor) + " " + version);
  const std::string problem =
      artifact + ": its engine for this GPU was made by " + joined(made_by, " and ");
  if (!others.empty()) {
    throw HostError(problem + ", and here is " + joined(others, " and "), cure);
  }
  const std::string reason = here.missing.empty() ? "" : ": " + here.missing;
  throw HostError(problem + ", which is not installed" + reason, install(engines.back(), cure));
}

}  // namespace

std::string EngineInfo::folder() const {
  return engines_key + ("/" + flavor) + "-" + version + "-" + written(capability) + "-" + machine;
}

std::string EngineInfo::library() const { return title_of(flavor) + " " + version; }

std::vector<EngineInfo> engines_of(const std::filesystem::path& artifact,
                                   const Manifest& manifest) {
  try {
    return read_engines(manifest);
  } catch (const StructureError& error) {
    throw ArtifactError(artifact.string() + ": manifest: " + error.what(), rebuild_hint);
  }
}

EngineInfo choose(const std::vector<EngineInfo>& engines, const Here& here,
                  const std::filesystem::path& artifact) {
  const std::string name = artifact.string();
  const std::string cure = "make one for this machine: mpm-deploy engine " + name;
  if (engines.empty()) throw HostError(name + ": holds segments, and no engine yet", cure);
  std::vector<EngineInfo> on_this;
  std::ranges::copy_if(engines, std::back_inserter(on_this), [&](const EngineInfo& engine) {
    return engine.capability == here.capability && engine.machine == here.machine;
  });
  if (on_this.empty()) refuse_machine(engines, here, name, cure);
  const auto fits = [&](const EngineInfo& engine) {
    const auto found = here.versions.find(engine.flavor);
    return found != here.versions.end() && is_same_version(engine.version, found->second);
  };
  const auto last = std::find_if(on_this.rbegin(), on_this.rend(), fits);
  if (last == on_this.rend()) refuse_version(on_this, here, name, cure);
  return *last;
}

}  // namespace mpm

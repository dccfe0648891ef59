// Reads inputs one by one, and says of each what this program's readers make of it, for
// tools/fuzz/differential.py to compare:
//
//   fuzz_driver image|artifact|trust
//   stdin     size (4 bytes, little-endian), bytes; and so on
//   stdout    a line of JSON each: {"accepted": what was read}, {"refused": why} or {"fault": what}

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifact/manifest_fields.hpp"
#include "artifact/sha256.hpp"
#include "field_writer.hpp"
#include "memory_file.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "trust_target.hpp"

namespace mpm::fuzz {

namespace {

Json read_image(Bytes bytes) {
  const Image image = decode(bytes);
  Sha256 hash;
  hash.update(image.pixels.data(), image.pixels.size());
  return {
      {"height", image.size.height}, {"width", image.size.width}, {"pixels", hash.hex_digest()}};
}

Json read_artifact(Bytes bytes) {
  MemoryFile file;
  file.write(bytes);
  Manifest manifest = read_manifest(file.path());
  return to_json(manifest);
}

Json read_trust(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {{"as a signature", ask_trust(public_key, text)},
          {"as a key", ask_trust(text, signature)}};
}

// Null of a kind that is none.
auto reader_of(std::string_view kind) -> Json (*)(Bytes) {
  if (kind == "image") return read_image;
  if (kind == "artifact") return read_artifact;
  return kind == "trust" ? read_trust : nullptr;
}

Json answer(Json (*read)(Bytes), Bytes bytes) {
  try {
    return {{"accepted", read(bytes)}};
  } catch (const Error& error) {
    return {{"refused", error.problem()}};
  } catch (const std::exception& error) {
    return {{"fault", error.what()}};
  }
}

// Gives false at the end of standard input.
bool read_input(std::vector<std::uint8_t>& bytes) {
  std::uint8_t size[4];
  if (!std::cin.read(reinterpret_cast<char*>(size), 4)) return false;
  bytes.resize(size[0] | size[1] << 8 | size[2] << 16 | std::size_t{size[3]} << 24);
  std::cin.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return static_cast<bool>(std::cin);
}

}  // namespace

}  // namespace mpm::fuzz

int main(int argc, char** argv) {
  using namespace mpm::fuzz;
  const auto read = reader_of(argc == 2 ? argv[1] : "");
  if (!read) {
    std::cerr << "usage: fuzz_driver image|artifact|trust\n";
    return 2;
  }
  for (std::vector<std::uint8_t> bytes; read_input(bytes);) {
    using mpm::Json;
    std::cout << answer(read, bytes).dump(-1, ' ', true, Json::error_handler_t::replace)
              << std::endl;
  }
}

#include "score_files.hpp"

#include <bit>
#include <string>

#include "files.hpp"

namespace mpm::program {

namespace {

constexpr std::size_t alignment = 64;  // of what follows the header

// "\x93NUMPY", the version, the length of what follows in two bytes, the low one first; and that: a
// Python dictionary, filled up with spaces, and a line end.
std::string header(const ScoreMap& scores) {
  const std::string order = std::endian::native == std::endian::little ? "<" : ">";
  std::string text = "{'descr': '" + order + "f4', 'fortran_order': False, 'shape': (" +
                     std::to_string(scores.classes) + ", " + std::to_string(scores.size.height) +
                     ", " + std::to_string(scores.size.width) + "), }";
  constexpr std::size_t before = 10, line_end = 1;
  const std::size_t length = before + text.size() + line_end;
  text.append((alignment - length % alignment) % alignment, ' ');
  text += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(text.size() & 255);
  bytes += static_cast<char>(text.size() >> 8);
  return bytes + text;
}

}  // namespace

void write_scores(const std::filesystem::path& target, const ScoreMap& scores) {
  const auto* values = reinterpret_cast<const char*>(scores.values.data());
  write_bytes(target, {header(scores), {values, scores.values.size() * sizeof(float)}});
}

}  // namespace mpm::program

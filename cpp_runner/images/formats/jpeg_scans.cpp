#include "images/formats/jpeg_scans.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "images/formats/raster.hpp"

namespace mpm {

namespace {

// Writers make 1 to 4, and progressive ones about 10. Each takes time for every pixel.
constexpr std::size_t most_scans = 100;

constexpr auto broken_scans = "its scans are broken, or the file ends early";
constexpr int coefficients = 64;
constexpr int most_left_out = 13;
constexpr int all_left_out = 14;

using LeftOut = std::array<int, coefficients>;  // bits of each coefficient of a component

// What a scan gives: coefficients, and how many of their bits were left out before and are after.
struct Part {
  int first = 0;
  int last = coefficients - 1;
  int before = all_left_out;
  int after = 0;
};

Part read_part(Bytes scan) {
  const Bytes range = scan.last(3);
  const int before = range[2] >> 4;
  Part part{range[0], range[1], before == 0 ? all_left_out : before, range[2] & 0x0F};
  const bool is_mean =
      part.first == 0 && part.last == 0;  // of all components there are; else of one
  const bool is_range =
      0 < part.first && part.first <= part.last && part.last < coefficients && scan[0] == 1;
  const bool is_step = (before == 0 || before == part.after + 1) && part.after <= most_left_out;
  if (!(is_mean || is_range) || !is_step) throw ImageError(broken_scans);
  return part;
}

// Takes what a scan gives from the bits of its components that are left out, by their names.
void take_scan(std::map<std::uint8_t, LeftOut>& left_out, Bytes scan, bool is_progressive) {
  if (scan.empty() || scan.size() != 4 + 2 * std::size_t{scan[0]}) {
    throw ImageError("broken JPEG header");
  }
  const Part part = is_progressive ? read_part(scan) : Part{};
  for (std::size_t i = 0; i < scan[0]; ++i) {
    const auto found = left_out.find(scan[1 + 2 * i]);
    if (found == left_out.end()) throw ImageError(broken_scans);
    LeftOut& bits = found->second;
    const auto begin = bits.begin() + part.first;
    const auto end = bits.begin() + part.last + 1;
    const bool is_due = std::all_of(begin, end, [&](int count) { return count == part.before; });
    if (!is_due || (part.first > 0 && bits[0] == all_left_out)) throw ImageError(broken_scans);
    std::fill(begin, end, part.after);
  }
}

std::map<std::uint8_t, LeftOut> read_components(Bytes frame) {
  if (frame.size() != 6 + 3 * std::size_t{frame[5]}) throw ImageError("broken JPEG header");
  std::map<std::uint8_t, LeftOut> left_out;
  for (std::size_t at = 6; at < frame.size(); at += 3) left_out[frame[at]].fill(all_left_out);
  if (left_out.size() != frame[5]) throw ImageError("broken JPEG header");
  return left_out;
}

}  // namespace

void check_scans(Bytes frame, const std::vector<Bytes>& scans, bool is_progressive) {
  std::map<std::uint8_t, LeftOut> left_out = read_components(frame);
  if (scans.size() > most_scans) {
    throw ImageError("JPEG of more than " + std::to_string(most_scans) + " scans is not read",
                     "save it anew");
  }
  for (const Bytes scan : scans) take_scan(left_out, scan, is_progressive);
  for (const auto& [_, bits] : left_out) {
    if (std::any_of(bits.begin(), bits.end(), [](int count) { return count > 0; })) {
      throw ImageError(ends_early);
    }
  }
}

}  // namespace mpm

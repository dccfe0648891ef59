#include "table.hpp"

#include <algorithm>
#include <cstdio>

namespace mpm::program {

namespace {

// From where on a program counts as held back. A machine at rest stays below.
constexpr double least_others_cores = 0.2;
constexpr double least_interruptions = 20;  // a second
constexpr double least_throttled = 2;       // a second

using Row = std::vector<std::string>;

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

// Three digits that tell.
std::string number(double value) { return format(value >= 100 ? "%.0f" : "%#.3g", value); }

std::string number(const std::optional<double>& value) { return value ? number(*value) : "–"; }

std::string tokens(const std::vector<double>& mean) {
  std::string text;
  for (const double kept : mean) text += (text.empty() ? "" : " → ") + format("%.0f", kept);
  return text.empty() ? "all" : text;
}

// Characters on the screen of UTF-8 text: bytes that continue a character have none of their own.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

std::string repeated(const char* text, std::size_t times) {
  std::string result;
  while (times-- > 0) result += text;
  return result;
}

// The first row is the head; every column is set to the right.
std::string lay_out(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  std::size_t total = 0;
  for (const std::size_t column : widths) total += column + 3;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += repeated(" ", widths[i] - width(row[i]) + (i == 0 ? 0 : 3)) + row[i];
    }
    text += "\n";
    if (&row == &rows.front()) text += repeated("─", total - 3) + "\n";
  }
  return text;
}

}  // namespace

std::string results_table(const std::vector<Measurement>& results) {
  std::vector<Row> rows{{"batch", "end-to-end FPS", "model FPS", "p50 ms", "p90 ms", "p99 ms",
                         "tokens kept", "GFLOPs", "peak MiB"}};
  for (const Measurement& result : results) {
    const Percentiles& latency = result.latency_ms;
    rows.push_back({std::to_string(result.batch_size), number(result.end_to_end_fps),
                    number(result.model_fps), number(latency.p50), number(latency.p90),
                    number(latency.p99), tokens(result.tokens_kept.mean), number(result.gflops),
                    number(result.peak_memory_mib)});
  }
  return lay_out(rows);
}

std::optional<std::string> contention_sentence(const std::vector<Measurement>& results) {
  double others = 0;
  double throttled = 0;
  for (const Measurement& result : results) {
    const Contention& told = result.contention;
    // It interrupts itself too, but then no one else keeps its cores busy.
    if (told.interruptions >= least_interruptions) others = std::max(others, told.others_cores);
    throttled = std::max(throttled, told.throttled);
  }
  std::string causes;
  if (others >= least_others_cores) {
    causes = format("other processes kept %.1f of its cores busy", others);
  }
  if (throttled >= least_throttled) {
    causes += causes.empty() ? "" : "; ";
    causes += format("a CPU quota stopped it %.0f times a second", throttled);
  }
  if (causes.empty()) return std::nullopt;
  return "The machine was contended, and speeds are lower for it: " + causes + ".";
}

}  // namespace mpm::program

#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace mpm::program {

namespace {

constexpr std::chrono::seconds patience{2};
constexpr std::chrono::milliseconds redraw_every{100};
constexpr int width = 40;

}  // namespace

Progress::Progress(std::string title, std::optional<std::int64_t> total)
    : title_(std::move(title)), total_(total), is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::advance() {
  ++done_;
  const auto now = Clock::now();
  if (!is_terminal_ || now - begin_ < patience || now - drawn_ < redraw_every) return;
  drawn_ = now;
  is_visible_ = true;
  draw();
}

void Progress::wipe() {
  if (std::exchange(is_visible_, false)) std::fputs("\r\x1b[K", stderr);
}

void Progress::draw() const {
  const std::chrono::duration<double> passed = Clock::now() - begin_;
  const auto done = static_cast<double>(done_);
  if (total_) {
    const auto total = static_cast<double>(*total_);
    std::string bar;
    for (int i = 0; i < width; ++i) bar += i * total < done * width ? "━" : " ";
    std::fprintf(stderr, "\r\x1b[K%s %s %.0f/%.0f, %.0f s left", title_.c_str(), bar.c_str(), done,
                 total, passed.count() / done * (total - done));
  } else {
    std::fprintf(stderr, "\r\x1b[K%s %.0f, %.1f a second", title_.c_str(), done,
                 done / passed.count());
  }
  std::fflush(stderr);
}

}  // namespace mpm::program

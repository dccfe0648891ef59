#include "progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace mpm::program {

namespace {

constexpr std::chrono::seconds patience{2};
constexpr std::chrono::milliseconds redraw_every{100};
constexpr std::size_t width = 40;

}  // namespace

Progress::Progress(std::string title, std::size_t total)
    : title_(std::move(title)), total_(total), is_terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (is_visible_) std::fputs("\r\x1b[K", stderr);
}

void Progress::advance() {
  ++done_;
  const auto now = Clock::now();
  if (!is_terminal_ || now - begin_ < patience || now - drawn_ < redraw_every) return;
  drawn_ = now;
  is_visible_ = true;
  draw();
}

void Progress::draw() const {
  std::string bar;
  for (std::size_t i = 0; i < width; ++i) bar += i * total_ < done_ * width ? "━" : " ";
  const std::chrono::duration<double> passed = Clock::now() - begin_;
  const double left =
      passed.count() / static_cast<double>(done_) * static_cast<double>(total_ - done_);
  std::fprintf(stderr, "\r\x1b[K%s %s %zu/%zu, %.0f s left", title_.c_str(), bar.c_str(), done_,
               total_, left);
  std::fflush(stderr);
}

}  // namespace mpm::program

#include "console.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <system_error>

#include "mpm_runner/error.hpp"
#include "support/utf8.hpp"

namespace mpm::program {

namespace {

std::FILE* data_stream = stdout;
bool is_read = true;

}  // namespace

void open_streams() {
  const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int number = 0;
  do number = open("/dev/null", O_RDWR);
  while (number >= 0 && number <= STDERR_FILENO);
  close(number);
  if (kept < 0) return;  // it was closed
  show_at(kept);
  dup2(STDERR_FILENO, STDOUT_FILENO);
}

void show_at(int descriptor) {
  std::FILE* stream = fdopen(descriptor, "w");
  if (stream == nullptr) throw std::system_error(errno, std::generic_category());
  data_stream = stream;
}

void talk(const std::string& line) { std::cerr << printable(line) << '\n'; }

void say_skipped(const Skipped& image) {
  talk("skipped " + image.path.string() + ": " + image.reason);
}

void say_skipped(const std::vector<Skipped>& skipped) {
  for (const Skipped& image : skipped) say_skipped(image);
}

void show(const std::string& data) {
  const std::string text = printable(data);
  const bool is_written = std::fwrite(text.data(), 1, text.size(), data_stream) == text.size() &&
                          std::fflush(data_stream) == 0;
  if (is_written) return;
  is_read = false;
  if (errno == EPIPE) return;
  throw Error(std::string("stdout: cannot write there: ") + std::strerror(errno),
              "send it where there is room; files that were asked for are written");
}

std::string counted(std::int64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

bool is_stdout_read() { return is_read; }

}  // namespace mpm::program

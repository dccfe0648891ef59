#include "console.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "mpm_runner/error.hpp"
#include "support/utf8.hpp"

namespace mpm::program {

void open_streams() {
  int number = 0;
  do number = open("/dev/null", O_RDWR);
  while (number >= 0 && number <= STDERR_FILENO);
  close(number);
}

void talk(const std::string& line) { std::cerr << printable(line) << '\n'; }

void show(const std::string& data) {
  const std::string text = printable(data);
  const bool is_written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (is_written || errno == EPIPE) return;
  throw Error(std::string("stdout: cannot write there: ") + std::strerror(errno),
              "send it where there is room; files that were asked for are written");
}

}  // namespace mpm::program

#include "signals.hpp"

#include <atomic>
#include <csignal>

#include "exit_codes.hpp"

namespace mpm::program {

namespace {

std::atomic<int> noted{0};  // the first one's number
static_assert(std::atomic<int>::is_always_lock_free, "a handler may only touch what never locks");

void note(int number) {
  int none = 0;
  noted.compare_exchange_strong(none, number);
}

}  // namespace

void note_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ,
              SIG_IGN);  // writing past the limit of a file's size then fails with a reason
  struct sigaction action{};
  action.sa_handler = note;  // without SA_RESTART: a worker that waits for requests wakes
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before{};
    sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

bool has_signal() { return noted != 0; }

void check_signals() {
  if (const int number = noted) throw Exit{exit_signal + number};
}

}  // namespace mpm::program

#include "support/threads.hpp"

#include <ATen/Parallel.h>

#include <pthread.h>

#include <mutex>
#include <string>
#include <thread>

#include "mpm_runner/error.hpp"

namespace mpm {

namespace {

// Nobody holds it in a process that is forked: who did would not be there to let go.
std::mutex mutex;
[[maybe_unused]] const int at_fork =
    pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });

}  // namespace

// at::set_num_threads sets this thread's number, and with it the one that every new thread takes
// over at its first look. That one is read and put back, each on another thread.
void use_intra_op_threads(int count) {
  if (at::get_num_threads() == count) return;  // a first look, which must not come later
  const std::lock_guard lock(mutex);
  int before = 0;
  std::thread([&] { before = at::get_num_threads(); }).join();
  at::set_num_threads(count);
  std::thread([&] { at::set_num_threads(before); }).join();
}

void check_thread_count(const char* name, int count) {
  constexpr int most = 1024;
  if (count >= 1 && count <= most) return;
  const std::string wanted = count < 1 ? "1 or more" : std::to_string(most) + " at most";
  throw InputError(std::string(name) + ": expected " + wanted + ", got " + std::to_string(count));
}

void look_at_threads() {
  std::thread([] { at::get_num_threads(); }).join();
}

OneThread::OneThread() : before_(at::get_num_threads()) { use_intra_op_threads(1); }

OneThread::~OneThread() { use_intra_op_threads(before_); }

}  // namespace mpm

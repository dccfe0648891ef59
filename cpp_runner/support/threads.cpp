#include "support/threads.hpp"

#include <ATen/Parallel.h>

#include <pthread.h>

#include <exception>
#include <latch>
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
// over at its first look. Another thread reads that one, and puts it back; where it cannot be
// started, nothing has changed yet.
void use_intra_op_threads(int count) {
  if (at::get_num_threads() == count) return;  // a first look, which must not come later
  const std::lock_guard lock(mutex);
  std::latch is_read(1), is_set(1);
  std::thread other([&] {
    const int before = at::get_num_threads();
    is_read.count_down();
    is_set.wait();
    at::set_num_threads(before);
  });
  is_read.wait();
  at::set_num_threads(count);
  is_set.count_down();
  other.join();
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

OneThread::~OneThread() {
  try {
    use_intra_op_threads(before_);
  } catch (const std::exception&) {  // no thread is left: operators stay right, and grow slower
  }
}

}  // namespace mpm

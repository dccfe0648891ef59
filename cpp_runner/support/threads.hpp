#pragma once

namespace mpm {

// Lets libtorch's operators use `count` threads on a CPU when this thread calls them. The number
// that new threads start with stays as it is. Throws std::system_error: it takes a thread for a
// moment, and none can be started; nothing has changed then.
void use_intra_op_threads(int count);

// Throws InputError: fewer than 1 thread, or so many that they are no speed and may end the
// process.
void check_thread_count(const char* name, int count);

// Has a new thread look at libtorch's threads, alone. After a fork that look mends a pool that the
// fork has broken, and two at once find it half mended: "Invalid thread pool!".
void look_at_threads();

// One thread for the operators that this thread calls while it lives. Each thread that calls a
// large operator gets a pool of its own from OpenMP, which stays; where all pools together have
// more threads than there are cores, they sleep after every operator, and the model takes a third
// longer.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_;
};

}  // namespace mpm

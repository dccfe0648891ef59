// Lets threads that wait for one another soon give their core to others.
//
// libgomp, which shares libtorch's operators out to threads, reads from the environment how often a
// thread that waits looks again before it goes to sleep. Left alone it looks 300 000 times, which
// is 14 ms on an Intel processor: beside busy processes that burns the time which the others wait
// for, and a model takes up to 14 times as long. To sleep at once would cost a third of the speed
// where nothing else runs. These are 1.4 ms; AMD's figure is by the length of a look.
//
// libgomp reads it when it is loaded, so the program starts anew with it. That is done before any
// library sets itself up, for libtorch takes half a second to; nothing may be used here that must
// be set up first.

#include <linux/limits.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace {

// Null on another kind of processor, whose looks are short.
const char* looks() {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_is("intel")) return "GOMP_SPINCOUNT=30000";
  if (__builtin_cpu_is("amd")) return "GOMP_SPINCOUNT=90000";
#endif
  return nullptr;
}

bool begins(const char* text, const char* start) {
  return std::strncmp(text, start, std::strlen(start)) == 0;
}

void wait_briefly(int, char** arguments, char** environment) {
  const char* setting = looks();
  if (setting == nullptr) return;
  std::vector<const char*> extended{setting};
  for (char** variable = environment; *variable != nullptr; ++variable) {
    if (begins(*variable, "GOMP_SPINCOUNT=") || begins(*variable, "OMP_WAIT_POLICY=")) return;
    extended.push_back(*variable);
  }
  extended.push_back(nullptr);
  char program[PATH_MAX] = {};
  // Under its name, which ps shows; an interpreter that was called by name is not this program.
  if (getauxval(AT_BASE) == 0 || readlink("/proc/self/exe", program, sizeof program - 1) < 0)
    return;
  execve(program, arguments, const_cast<char**>(extended.data()));  // or else: go on as it is
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const first_of_all)(int, char**,
                                                                         char**) = wait_briefly;

}  // namespace

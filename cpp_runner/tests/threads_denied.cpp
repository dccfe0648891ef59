#include "threads_denied.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

namespace mpm::tests {

thread_local int threads_left = -1;

}  // namespace mpm::tests

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*work)(void*), void* argument) noexcept {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  int& left = mpm::tests::threads_left;
  if (left == 0) return EAGAIN;
  if (left > 0) --left;
  return create(thread, attributes, work, argument);
}

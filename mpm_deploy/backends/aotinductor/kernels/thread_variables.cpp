// What AOTInductor's C interface last failed with is a string of each thread. The C++ runtime would
// keep the library mapped until every thread that called it has ended, to destroy that thread's
// string: in the main thread, for good. Here none is registered, so that closing the library unmaps
// it; a thread in which a call failed leaves that one sentence.

extern "C" __attribute__((visibility("hidden"))) int __cxa_thread_atexit(void (*)(void*), void*,
                                                                         void*) {
  return 0;
}

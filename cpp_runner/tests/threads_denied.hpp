#pragma once

namespace mpm::tests {

// Threads that this one may still start; -1: any number. In a test's program pthread_create looks
// here first, and then refuses as a system does that has none left.
extern thread_local int threads_left;

}  // namespace mpm::tests

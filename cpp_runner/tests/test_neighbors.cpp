#include <ATen/Parallel.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/cores.hpp"
#include "support/neighbors.hpp"

using namespace mpm;

namespace {

// Processes that keep every core busy while they live.
class Busy {
 public:
  Busy() {
    for (int i = 0; i < cores_of_affinity(); ++i) {
      const pid_t child = fork();
      if (child == 0) {
        for (std::atomic<unsigned> turns = 0;; ++turns) {
        }
      }
      children_.push_back(child);
    }
  }
  ~Busy() {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }

 private:
  std::vector<pid_t> children_;
};

}  // namespace

TEST_SUITE("neighbors") {
  TEST_CASE("beside busy neighbors threads give way, and one thread waits for nobody") {
    if (cores_of_affinity() < 2) return;
    const Busy busy;
    Neighbors neighbors(cores_of_affinity());
    Neighbors of_one(1);
    neighbors.look();
    CHECK_FALSE(neighbors.gives_way());  // it looked too soon
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    neighbors.look();
    of_one.look();
    CHECK(neighbors.gives_way());
    CHECK(at::get_num_threads() < cores_of_affinity());
    CHECK_FALSE(of_one.gives_way());
  }
}

#pragma once

#include <sys/types.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "arguments.hpp"
#include "json.hpp"

namespace mpm::program {

// A worker process of its own for one artifact, asked for one pass after another. Thread pools of
// two artifacts in one process slow one another; an engine that waits for its turn costs nothing.
class Engine {
 public:
  Engine(const std::filesystem::path& artifact, const Arguments& arguments);
  ~Engine();  // lets the process leave
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Has one pass done, see worker.hpp. Throws Error: it failed there, or the process is gone.
  Json ask(const Json& request);

 private:
  std::string exchange(const std::string& request);
  [[noreturn]] void fail_as_gone();
  int wait_for_end();

  const std::filesystem::path artifact_;
  pid_t process_ = -1;
  std::FILE* requests_ = nullptr;
  std::FILE* answers_ = nullptr;
};

}  // namespace mpm::program

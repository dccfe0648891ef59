#include "engine.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "mpm_runner/error.hpp"

namespace mpm::program {

namespace {

using Words = std::vector<std::string>;

template <typename T>
void add_option(Words& words, const std::string& name, const std::optional<T>& value) {
  if (!value) return;
  if constexpr (std::is_same_v<T, int>)
    words.push_back(name + "=" + std::to_string(*value));
  else
    words.push_back(name + "=" + *value);
}

Words worker_command(const std::filesystem::path& artifact, const Arguments& arguments) {
  Words words{"cpp_runner", "worker"};
  add_option(words, "--device", arguments.runner.device);
  add_option(words, "--threads", arguments.runner.threads);
  add_option(words, "--workers", arguments.runner.workers);
  add_option(words, "--stride", arguments.runner.stride);
  add_option(words, "--limit", arguments.limit);
  words.insert(words.end(), {"--", artifact.string(), arguments.folder.string()});
  return words;
}

struct Pipe {
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw Error("no pipe: " + std::string(strerror(errno)));
  }
  int read_end() const { return ends[0]; }
  int write_end() const { return ends[1]; }

  std::array<int, 2> ends{};
};

// This very program again, its stdin and stdout on the pipes.
pid_t spawn(const Words& words, const Pipe& requests, const Pipe& answers) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, requests.read_end(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, answers.write_end(), STDOUT_FILENO);
  pid_t process = -1;
  const int error =
      posix_spawn(&process, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw Error("no worker process: " + std::string(strerror(error)));
  return process;
}

}  // namespace

Engine::Engine(const std::filesystem::path& artifact, const Arguments& arguments)
    : artifact_(artifact) {
  const Pipe requests;
  const Pipe answers;
  process_ = spawn(worker_command(artifact, arguments), requests, answers);
  close(requests.read_end());
  close(answers.write_end());
  requests_ = fdopen(requests.write_end(), "w");
  answers_ = fdopen(answers.read_end(), "r");
}

Engine::~Engine() { wait_for_end(); }

Json Engine::ask(const Json& request) {
  const std::string line = exchange(request.dump());
  Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded()) {
    throw Error(artifact_.string() + ": its worker answered \"" + line + "\"");
  }
  if (answer.contains("error")) {
    const Json hint = answer.value("hint", Json());
    throw Error(answer["error"].get<std::string>(),
                hint.is_string() ? hint.get<std::string>() : "");
  }
  return answer;
}

std::string Engine::exchange(const std::string& request) {
  std::fputs((request + "\n").c_str(), requests_);
  std::fflush(requests_);
  char* line = nullptr;
  std::size_t capacity = 0;
  const ssize_t length = getline(&line, &capacity, answers_);
  const std::string answer(line, length > 0 ? static_cast<std::size_t>(length) - 1 : 0);
  std::free(line);
  if (length <= 0) fail_as_gone();
  return answer;
}

void Engine::fail_as_gone() {
  const int status = wait_for_end();
  const std::string how = WIFSIGNALED(status)
                              ? "was ended by signal " + std::to_string(WTERMSIG(status))
                              : "ended with exit code " + std::to_string(WEXITSTATUS(status));
  throw Error(artifact_.string() + ": its worker " + how,
              "memory may be short: try a smaller --batch; what it said stands above");
}

// Closing its stdin is how it is told to leave.
int Engine::wait_for_end() {
  if (process_ < 0) return 0;
  std::fclose(requests_);
  std::fclose(answers_);
  int status = 0;
  waitpid(std::exchange(process_, -1), &status, 0);
  return status;
}

}  // namespace mpm::program

#include "backends/opened_once.hpp"

#include <pthread.h>

#include <map>
#include <tuple>

namespace mpm {

// What is open in this process and in use, and who is opening.
struct Process {
  static void begin_in_child();

  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::weak_ptr<OpenedOnce::Shared>> by_key;
};

namespace {

// Never destroyed: what is static elsewhere may have something open for longer.
Process& here() {
  static auto* const process = new Process;
  return *process;
}

// Nobody holds the mutex in a process that is forked: who did would not be there to let go.
[[maybe_unused]] const int at_fork = pthread_atfork(
    [] { here().mutex.lock(); }, [] { here().mutex.unlock(); }, Process::begin_in_child);

}  // namespace

// Leaves behind what threads of the parent were calling. It is never freed here, which might wait
// for them: their calls have it.
void Process::begin_in_child() {
  auto& [mutex, by_key] = mpm::here();
  std::erase_if(by_key, [](const auto& entry) {
    const auto shared = entry.second.lock();
    if (shared) shared->is_left_behind = shared->calls > 0;
    return !shared || shared->is_left_behind;
  });
  mutex.unlock();
}

OpenedOnce::OpenedOnce(std::string payload_sha256, std::string part, Open open,
                       const std::function<void()>& check)
    : key_(std::move(payload_sha256), std::move(part)), open_(std::move(open)) {
  bool was_open = false;
  std::tie(shared_, was_open) = share();
  if (was_open) check();
}

std::shared_ptr<OpenedOnce::Shared> OpenedOnce::here() const {
  const std::lock_guard lock(mutex_);
  if (shared_->is_left_behind) shared_ = share().first;
  return shared_;
}

std::pair<std::shared_ptr<OpenedOnce::Shared>, bool> OpenedOnce::share() const {
  const auto open_now = [&] { return std::shared_ptr<Shared>(new Shared{open_()}); };
  if (key_.first.empty()) return {open_now(), false};
  auto& [mutex, by_key] = mpm::here();
  const std::lock_guard lock(mutex);
  std::erase_if(by_key, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Shared>& place = by_key[key_];
  if (auto found = place.lock()) return {found, true};
  const auto opened = open_now();
  place = opened;
  return {opened, false};
}

}  // namespace mpm

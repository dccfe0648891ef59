#include "backends/opened_once.hpp"

#include <pthread.h>

#include <map>
#include <mutex>
#include <utility>

namespace mpm {

namespace {

std::map<std::pair<std::string, std::string>, std::weak_ptr<void>> opened;

// Nobody holds it in a process that is forked: who did would not be there to let go.
std::mutex mutex;
[[maybe_unused]] const int at_fork = pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); },
                                                    [] {
                                                      opened.clear();
                                                      mutex.unlock();
                                                    });

}  // namespace

std::shared_ptr<void> opened_once(const std::string& payload_sha256, const std::string& part,
                                  const std::function<std::shared_ptr<void>()>& open) {
  const std::lock_guard lock(mutex);
  std::erase_if(opened, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<void>& place = opened[{payload_sha256, part}];
  std::shared_ptr<void> found = place.lock();
  if (!found) place = found = open();
  return found;
}

}  // namespace mpm

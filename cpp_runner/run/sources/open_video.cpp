#include <chrono>
#include <future>
#include <thread>

#include "mpm_runner/error.hpp"
#include "run/sources/live.hpp"
#include "run/sources/names.hpp"
#include "run/sources/video.hpp"

namespace mpm {

namespace {

void require(bool holds, const char* name, const char* expected, const std::string& value) {
  if (holds) return;
  throw InputError(std::string(name) + ": expected " + expected + ", got " + value);
}

void check(const VideoOptions& options) {
  require(options.reconnect >= 0, "reconnect", "0 or more", std::to_string(options.reconnect));
  require(options.reconnect_wait > 0, "reconnect_wait", "above 0",
          std::to_string(options.reconnect_wait));
  require(options.timeout > 0, "timeout", "above 0", std::to_string(options.timeout));
}

// Opens it where the network may block, for as long as a name server likes, so that whoever waits
// here still hears that it is to stop.
std::unique_ptr<FrameReader> opened_on_a_thread(const Live::Open& open, Stop& stop) {
  std::packaged_task<std::unique_ptr<FrameReader>()> task(open);
  std::future<std::unique_ptr<FrameReader>> opened = task.get_future();
  std::thread(std::move(task)).detach();
  constexpr std::chrono::milliseconds between_looks{50};
  while (opened.wait_for(between_looks) != std::future_status::ready) {
    if (!stop.is_set()) continue;
    stop.set();  // for the thread too, which asks nobody else any more
    throw ImageError("stopped before it was open");
  }
  return opened.get();
}

}  // namespace

std::shared_ptr<Source> open_video(const std::string& place, const VideoOptions& options) {
  check(options);
  const auto stop = std::make_shared<Stop>(options.is_stopped);
  VideoOptions stoppable = options;
  stoppable.is_stopped = [stop] { return stop->is_set(); };
  const auto open = [place, stoppable] { return open_frames(place, stoppable); };
  const std::string name = without_password(place);
  try {
    const bool is_file = !is_address(place) && !is_device(place);
    std::unique_ptr<FrameReader> reader = is_file ? open() : opened_on_a_thread(open, *stop);
    if (is_file || !reader->is_endless())
      return std::make_shared<Video>(name, std::move(reader), stop);
    const Reconnecting reconnecting{options.reconnect, options.reconnect_wait};
    return std::make_shared<Live>(name, std::move(reader), open, reconnecting, stop);
  } catch (const ImageError& error) {
    throw InputError(name + ": " + error.problem(), error.hint());
  }
}

}  // namespace mpm

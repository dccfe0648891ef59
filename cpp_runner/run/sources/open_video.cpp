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

}  // namespace

std::shared_ptr<Source> open_video(const std::string& place, const VideoOptions& options) {
  check(options);
  const auto stop = std::make_shared<Stop>(options.is_stopped);
  VideoOptions stoppable = options;
  stoppable.is_stopped = [stop] { return stop->is_set(); };
  const auto open = [place, stoppable] { return open_frames(place, stoppable); };
  const std::string name = without_password(place);
  try {
    std::unique_ptr<FrameReader> reader = open();
    const bool is_file = !is_address(place) && !is_device(place);
    if (is_file || !reader->is_endless())
      return std::make_shared<Video>(name, std::move(reader), stop);
    const Reconnecting reconnecting{options.reconnect, options.reconnect_wait};
    return std::make_shared<Live>(name, std::move(reader), open, reconnecting, stop);
  } catch (const ImageError& error) {
    throw InputError(name + ": " + error.problem(), error.hint());
  }
}

}  // namespace mpm

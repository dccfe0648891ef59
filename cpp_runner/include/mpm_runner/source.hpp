#pragma once

// Where the images of a stream come from: files, a video, or a camera.
//
//   street.jpg, ...               ─▶ files ─▶ each file ───────────────────┐
//   street.mp4                    ─▶ video ─▶ every frame ─────────────────┼─▶ Runner::stream_from
//   rtsp://camera/, /dev/video0   ─▶ live ──▶ the newest frame, each time ─┘
//
//   mpm::Stream stream = runner.stream_from(mpm::open_video("rtsp://camera/street"));

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mpm_runner/image.hpp"

namespace mpm {

// An image on its way into a stream.
struct SourceImage {
  std::filesystem::path name;          // the file, "street.mp4, frame 12", or nothing
  std::int64_t index = 1;              // among those that its source gave, from 1
  std::optional<double> time = {};     // of a frame: seconds since its source's first
  std::optional<Size> size = {};       // of a frame that is to be decoded, before it is turned
  std::function<Image()> pixels = {};  // of a frame: asked on a worker, may throw ImageError
  std::optional<std::vector<std::uint8_t>> bytes = {};  // of a file that is in memory
};

// What a source did not give.
struct Losses {
  std::int64_t dropped = 0;     // frames of a live source that a newer one took the place of
  std::int64_t broken = 0;      // frames that could not be decoded
  std::int64_t reconnects = 0;  // how often a live source that broke was opened again
};

// A program may have sources of its own. One thread at a time asks for images.
class Source {
 public:
  virtual ~Source() = default;

  // The next one; nothing after the last, or when stopped. What it throws ends a stream, behind the
  // results of all that came before.
  virtual std::optional<SourceImage> next() = 0;
  // By any thread: a next() that waits returns, and nothing more comes.
  virtual void stop() {}
  // Whether it goes on unasked, as a camera does. A stream then has few images under way, so that
  // results are of what is seen now.
  virtual bool is_live() const { return false; }
  // How many there will be, where that is known.
  virtual std::optional<std::int64_t> total() const { return std::nullopt; }
  // So far; by any thread.
  virtual Losses losses() const { return {}; }
};

struct VideoOptions {
  int reconnect = 10;          // how often in a row a live source that broke is opened again
  double reconnect_wait = 30;  // seconds at most before it is: waits double from 1 second on
  double timeout = 10;         // seconds without a frame after which a live source has broken
  // Asked now and then while it waits: whether to end, as after a signal.
  std::function<bool()> is_stopped = [] { return false; };
};

// Files, which are decoded as a stream comes to them.
std::shared_ptr<Source> open_files(std::vector<std::filesystem::path> files);

// Images that come in any way.
std::shared_ptr<Source> open_images(std::vector<ImageSource> images);

// Whether that names a video or a camera, and no images: an address, as rtsp:// or https://; a
// device, as /dev/video0; a file with the suffix of a video, as .mp4.
bool is_video(const std::string& place);

// Every frame of a video; of what is live, which nobody knows the end of, the newest whenever one
// is asked for. FFmpeg's libraries decode, and docs/formats/video.md says which pixels and which
// time a frame has. Throws InputError: it cannot be opened, has no video, or an option is out of
// range; HostError: this library was built without FFmpeg.
std::shared_ptr<Source> open_video(const std::string& place, const VideoOptions& options = {});

}  // namespace mpm

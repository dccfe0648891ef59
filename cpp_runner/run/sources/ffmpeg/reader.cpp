#include <dlfcn.h>

extern "C" {
#include <libavdevice/avdevice.h>
#include <libavutil/log.h>
}

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <set>
#include <span>
#include <utility>

#include "images/formats/orientation.hpp"
#include "mpm_runner/model.hpp"
#include "run/sources/ffmpeg/display_matrix.hpp"
#include "run/sources/ffmpeg/handles.hpp"
#include "run/sources/ffmpeg/rgb_filter.hpp"
#include "run/sources/frame_reader.hpp"
#include "run/sources/names.hpp"
#include "support/joined.hpp"

namespace mpm {

namespace ffmpeg {

namespace {

constexpr int most_threads = 16;  // more decode no faster

// Ends a wait that is too long, or that is asked to end: FFmpeg looks here while it waits.
class Patience {
 public:
  explicit Patience(const VideoOptions& options)
      : longest_(options.timeout), is_stopped_(options.is_stopped) {}

  void begin() { begin_ = Clock::now(); }
  bool is_stopped() const { return is_stopped_(); }
  double longest_s() const { return longest_.count(); }
  AVIOInterruptCB callback() { return {&is_at_end, this}; }

 private:
  using Clock = std::chrono::steady_clock;

  static int is_at_end(void* patience) {
    const auto& self = *static_cast<const Patience*>(patience);
    return self.is_stopped() || Clock::now() - self.begin_ > self.longest_;
  }

  const std::chrono::duration<double> longest_;
  const std::function<bool()> is_stopped_;
  Clock::time_point begin_ = Clock::now();
};

// The error for a video that cannot be opened, or read on.
ImageError unreadable(int number, const Patience& patience) {
  char waited[60];
  std::snprintf(waited, sizeof waited, "nothing came for %g seconds", patience.longest_s());
  return ImageError(
      "cannot be read as a video: " + (number == AVERROR_EXIT ? waited : text_of(number)),
      "see whether another player opens it: it may be cut off, of another kind, or not there");
}

Options options_for(const std::string& place) {
  // Passes firewalls, and loses no packets.
  if (is_address(place)) return {{"rtsp_transport", "tcp"}};
  if (is_device(place)) return {};
  // What a file names inside of it, as a playlist does, is not opened: it may be anywhere.
  return {{"protocol_whitelist", "file"}};
}

// A file's name may look like an address, as "a:b.mp4".
std::string url_of(const std::string& place) {
  return is_address(place) || is_device(place) ? place : "file:" + place;
}

// Makes cameras known. Their library is opened by the first one: with it come those that draw
// windows and play sound, which nobody else waits for, or has to install.
void register_cameras() {
  constexpr auto name = "libavdevice.so." AV_STRINGIFY(LIBAVDEVICE_VERSION_MAJOR);
  void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw ImageError(std::string("a camera is read by ") + name + ", which is not installed",
                     "apt-get install libavdevice" AV_STRINGIFY(LIBAVDEVICE_VERSION_MAJOR));
  }
  reinterpret_cast<decltype(&avdevice_register_all)>(dlsym(library, "avdevice_register_all"))();
}

auto* camera_format() {
  register_cameras();
  return av_find_input_format("v4l2");
}

void check_is_there(const std::string& place) {
  std::error_code error;
  if (is_address(place) || is_device(place) || std::filesystem::exists(place, error) || error) {
    return;
  }
  throw ImageError("no such file", "name a video, an image or a folder");
}

Format open_format(const std::string& place, Patience& patience) {
  check_is_there(place);
  AVFormatContext* opening = there(avformat_alloc_context());  // freed where opening fails
  opening->interrupt_callback = patience.callback();
  Options options = options_for(place);
  const int opened = avformat_open_input(
      &opening, url_of(place).c_str(), is_device(place) ? camera_format() : nullptr, options.get());
  if (opened < 0) throw unreadable(opened, patience);
  Format format(opening);
  const int found = avformat_find_stream_info(format.get(), nullptr);
  if (found < 0) throw unreadable(found, patience);
  return format;
}

bool can_be_decoded(const AVStream& stream) {
  return avcodec_find_decoder(stream.codecpar->codec_id) != nullptr;
}

// A song's cover is no video.
bool is_moving(const AVStream& stream) {
  return stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
         (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) == 0;
}

// The kinds of what is no video and could be decoded.
std::string other_kinds(std::span<AVStream* const> streams) {
  std::set<std::string> kinds;
  for (const AVStream* stream : streams) {
    const AVMediaType type = stream->codecpar->codec_type;
    if (type == AVMEDIA_TYPE_VIDEO || !can_be_decoded(*stream)) continue;
    if (const char* name = av_get_media_type_string(type)) kinds.insert(name);
  }
  return kinds.empty() ? "nothing" : joined({kinds.begin(), kinds.end()}, " and ");
}

// The first video that can be decoded; packets of all others are left out.
AVStream& video_stream(AVFormatContext& format) {
  const std::span streams(format.streams, format.nb_streams);
  for (AVStream* stream : streams) stream->discard = AVDISCARD_ALL;
  const auto found = std::ranges::find_if(
      streams, [](auto* stream) { return is_moving(*stream) && can_be_decoded(*stream); });
  if (found == streams.end()) {
    throw ImageError("no video in it can be decoded, only " + other_kinds(streams),
                     "name a file or an address that has pictures");
  }
  (*found)->discard = AVDISCARD_DEFAULT;
  return **found;
}

// at_once: a frame is given as soon as it is there, not once threads are busy with those behind it.
Decoder open_decoder(const AVStream& stream, bool at_once) {
  const AVCodecParameters& parameters = *stream.codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);  // there is one
  Decoder decoder(there(avcodec_alloc_context3(codec)));
  check(avcodec_parameters_to_context(decoder.get(), &parameters), "cannot be decoded");
  decoder->pkt_timebase = stream.time_base;
  decoder->thread_type = at_once ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
  decoder->thread_count = std::min(available_cores(), most_threads);
  check(avcodec_open2(decoder.get(), codec, nullptr), "cannot be decoded");
  return decoder;
}

// A filter belongs to one thread; each that asks for pixels has one.
Image to_rgb(const AVFrame& picture) {
  thread_local RgbFilter filter;
  return filter.image(picture);
}

class DecodedFrame : public Frame {
 public:
  DecodedFrame(Picture picture, const AVStream& stream)
      : picture_(std::move(picture)),
        time_base_(stream.time_base),
        orientation_(orientation_of(*picture_, stream)) {}

  std::optional<double> time() const override {
    const std::int64_t stamp = picture_->best_effort_timestamp;
    if (stamp == AV_NOPTS_VALUE) return std::nullopt;
    return static_cast<double>(stamp) * time_base_.num / time_base_.den;
  }

  Size size() const override { return {picture_->height, picture_->width}; }
  Image image() const override { return turn_upright({to_rgb(*picture_), orientation_}); }

 private:
  const Picture picture_;
  const AVRational time_base_;
  const int orientation_;
};

class Reader : public FrameReader {
 public:
  Reader(const std::string& place, const VideoOptions& options)
      : patience_(options),
        format_(open_format(place, patience_)),
        stream_(video_stream(*format_)),
        decoder_(open_decoder(stream_, is_address(place) || is_device(place))) {}

  std::unique_ptr<Frame> next() override {
    for (;;) {
      Picture picture(there(av_frame_alloc()));
      const int got = avcodec_receive_frame(decoder_.get(), picture.get());
      if (got == AVERROR_EOF) return end();
      if (got == 0 && is_whole(*picture)) {
        return std::make_unique<DecodedFrame>(std::move(picture), stream_);
      }
      if (got != AVERROR(EAGAIN)) ++broken_;
      if (got < 0) feed();
    }
  }

  bool is_endless() const override { return format_->duration <= 0 && stream_.duration <= 0; }

  std::optional<std::int64_t> total() const override {
    return stream_.nb_frames > 0 ? std::optional(stream_.nb_frames) : std::nullopt;
  }

  double frame_duration() const override {
    const AVRational rate = stream_.avg_frame_rate;
    return rate.num > 0 && rate.den > 0 ? 1 / av_q2d(rate) : 0;
  }

  std::int64_t broken() const override { return broken_; }

 private:
  static bool is_whole(const AVFrame& picture) {
    return picture.decode_error_flags == 0 && (picture.flags & AV_FRAME_FLAG_CORRUPT) == 0;
  }

  // A packet to the decoder; or word that none comes, for it to give what it still has.
  void feed() {
    patience_.begin();
    do {
      av_packet_unref(packet_.get());
      reading_ = av_read_frame(format_.get(), packet_.get());
    } while (reading_ == 0 && packet_->stream_index != stream_.index);
    const int sent = avcodec_send_packet(decoder_.get(), reading_ < 0 ? nullptr : packet_.get());
    av_packet_unref(packet_.get());
    if (sent < 0 && sent != AVERROR_EOF) ++broken_;
  }

  std::unique_ptr<Frame> end() {
    const int reading = std::exchange(reading_, AVERROR_EOF);
    if (reading == AVERROR_EOF || patience_.is_stopped()) return nullptr;
    throw unreadable(reading, patience_);
  }

  Patience patience_;
  const Format format_;
  const AVStream& stream_;
  const Decoder decoder_;
  const Packet packet_{there(av_packet_alloc())};
  int reading_ = 0;  // what reading the last packet gave
  std::atomic<std::int64_t> broken_ = 0;
};

}  // namespace

}  // namespace ffmpeg

std::unique_ptr<FrameReader> open_frames(const std::string& place, const VideoOptions& options) {
  return std::make_unique<ffmpeg::Reader>(place, options);
}

void silence_decoders() { av_log_set_level(AV_LOG_QUIET); }

}  // namespace mpm

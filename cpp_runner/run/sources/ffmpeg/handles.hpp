#pragma once

// What FFmpeg's libraries hold, given back by itself, and what they say when they fail.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
}

#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "mpm_runner/error.hpp"
#include "support/refusal.hpp"

namespace mpm::ffmpeg {

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* held) const {
    release(&held);
  }
};

using Format = std::unique_ptr<AVFormatContext, Release<avformat_close_input>>;
using Decoder = std::unique_ptr<AVCodecContext, Release<avcodec_free_context>>;
using Packet = std::unique_ptr<AVPacket, Release<av_packet_free>>;
using Picture = std::unique_ptr<AVFrame, Release<av_frame_free>>;
using Graph = std::unique_ptr<AVFilterGraph, Release<avfilter_graph_free>>;

// Options by FFmpeg's names. A call takes out those that it knows.
class Options {
 public:
  Options(std::initializer_list<std::pair<const char*, const char*>> options) {
    for (const auto& [name, value] : options) av_dict_set(&held_, name, value, 0);
  }
  ~Options() { av_dict_free(&held_); }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  AVDictionary** get() { return &held_; }

 private:
  AVDictionary* held_ = nullptr;
};

// What was allocated. Throws std::bad_alloc: it was not.
template <typename T>
T* there(T* allocated) {
  if (allocated == nullptr) throw std::bad_alloc();
  return allocated;
}

// What a number of FFmpeg's says.
inline std::string text_of(int number) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(number, text, sizeof text);
  return text;
}

// Throws ImageError, or an error of that kind: the number is that of a failure.
template <typename Kind = ImageError>
void check(int number, const std::string& what) {
  if (number < 0) throw Kind(what + ": " + text_of(number), cure_of(AVUNERROR(number), {}));
}

}  // namespace mpm::ffmpeg

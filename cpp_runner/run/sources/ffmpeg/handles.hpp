#pragma once

// What FFmpeg's libraries hold, given back by itself, and what they say when they fail.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
}

#include <memory>
#include <new>
#include <string>

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

// What was allocated. Throws std::bad_alloc: it was not.
template <typename T>
T* there(T* allocated) {
  if (allocated == nullptr) throw std::bad_alloc();
  return allocated;
}

// The error for what failed with this number.
inline ImageError failure(const std::string& what, int number, const std::string& cure = {}) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(number, text, sizeof text);
  return ImageError(what + ": " + text, cure_of(AVUNERROR(number), cure));
}

// Throws ImageError: the number is that of a failure.
inline void check(int number, const std::string& what) {
  if (number < 0) throw failure(what, number);
}

}  // namespace mpm::ffmpeg

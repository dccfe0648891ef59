#include "program/video_file.hpp"

extern "C" {
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include "run/sources/ffmpeg/handles.hpp"

namespace mpm::program {

namespace {

using namespace ffmpeg;

constexpr int key_frames = 48;  // from one to the next: as much is lost when the process is killed
constexpr AVRational tick{1, ticks_a_second};

struct CloseFile {
  void operator()(AVFormatContext* format) const {
    avio_closep(&format->pb);
    avformat_free_context(format);
  }
};

struct FreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

using Container = std::unique_ptr<AVFormatContext, CloseFile>;
using Encoder = std::unique_ptr<AVCodecContext, Release<avcodec_free_context>>;
using Scaler = std::unique_ptr<SwsContext, FreeScaler>;

// A process that is killed leaves what it wrote so far as a video that plays: an MP4 of fragments,
// each of which says what is in it, from key frame to key frame. Matroska's clusters are such, and
// would wait for more bytes than small frames have.
Options container_options() {
  return {{"movflags", "frag_keyframe+empty_moov+default_base_moof"},  // of MP4 alone
          {"cluster_time_limit", "500"},                               // of Matroska; milliseconds
          {"flush_packets", "1"}};
}

// H.264 holds no frame back.
Options encoder_options(const AVCodec& codec) {
  if (codec.id == AV_CODEC_ID_H264) {
    return {{"preset", "veryfast"}, {"tune", "zerolatency"}, {"crf", "20"}};
  }
  return {{"flags", "+qscale"}, {"global_quality", "354"}};  // a scale of 3, in lambda
}

const AVCodec* find_codec(const std::string& path) {
  for (const char* name : {"libx264", "mpeg4"}) {
    if (const AVCodec* codec = avcodec_find_encoder_by_name(name)) return codec;
  }
  throw InputError(path + ": this FFmpeg encodes neither H.264 nor MPEG-4",
                   "name a folder for label maps, or install an FFmpeg with x264");
}

class FfmpegVideoFile : public VideoFile {
 public:
  FfmpegVideoFile(const std::filesystem::path& path, Size size)
      : path_(path.string()),
        container_(make_container()),
        encoder_(open_encoder(size)),
        scaler_(
            there(sws_getContext(size.width, size.height, AV_PIX_FMT_RGB24, size.width, size.height,
                                 AV_PIX_FMT_YUV420P, SWS_BILINEAR, nullptr, nullptr, nullptr))),
        stream_(begin()) {}

  void write(const Image& rgb, std::int64_t at) override {
    const Picture given = picture(rgb.size, AV_PIX_FMT_RGB24);
    const int row_bytes = 3 * rgb.size.width;
    av_image_copy_plane(given->data[0], given->linesize[0], rgb.pixels.data(), row_bytes, row_bytes,
                        rgb.size.height);
    const Picture encoded = picture(rgb.size, AV_PIX_FMT_YUV420P);
    told(sws_scale_frame(scaler_.get(), encoded.get(), given.get()));
    encoded->pts = at;
    encode(encoded.get());
  }

  void close() override {
    encode(nullptr);
    told(av_write_trailer(container_.get()));
    told(avio_closep(&container_->pb));
  }

 private:
  // What failed is told as what the operating system refused.
  void told(int number) const { check<InputError>(number, path_ + ": cannot write there"); }

  // A name with a colon in it would be an address.
  std::string url() const { return "file:" + path_; }

  Picture picture(Size size, AVPixelFormat format) const {
    Picture made(there(av_frame_alloc()));
    made->height = size.height;
    made->width = size.width;
    made->format = format;
    told(av_frame_get_buffer(made.get(), 0));
    return made;
  }

  Container make_container() const {
    AVFormatContext* made = nullptr;
    told(avformat_alloc_output_context2(&made, nullptr, nullptr, url().c_str()));
    return Container(made);
  }

  Encoder open_encoder(Size size) const {
    const AVCodec* codec = find_codec(path_);
    Encoder encoder(there(avcodec_alloc_context3(codec)));
    encoder->height = size.height;
    encoder->width = size.width;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = tick;
    encoder->framerate = {24, 1};  // by which x264 shares bits out; frames have their own times
    encoder->gop_size = key_frames;
    encoder->thread_count = 0;  // as many as there are cores
    encoder->thread_type = FF_THREAD_SLICE;
    if ((container_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    Options options = encoder_options(*codec);
    told(avcodec_open2(encoder.get(), codec, options.get()));
    return encoder;
  }

  // Makes the file, and writes its head.
  AVStream& begin() {
    AVStream& stream = *there(avformat_new_stream(container_.get(), nullptr));
    told(avcodec_parameters_from_context(stream.codecpar, encoder_.get()));
    stream.time_base = tick;
    told(avio_open(&container_->pb, url().c_str(), AVIO_FLAG_WRITE));
    Options options = container_options();
    told(avformat_write_header(container_.get(), options.get()));
    return stream;
  }

  // picture: nothing at the end.
  void encode(const AVFrame* picture) {
    told(avcodec_send_frame(encoder_.get(), picture));
    for (;;) {
      const int got = avcodec_receive_packet(encoder_.get(), packet_.get());
      if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return;
      told(got);
      packet_->stream_index = stream_.index;
      av_packet_rescale_ts(packet_.get(), tick, stream_.time_base);
      told(av_interleaved_write_frame(container_.get(), packet_.get()));
    }
  }

  const std::string path_;
  const Container container_;
  const Encoder encoder_;
  const Scaler scaler_;
  AVStream& stream_;
  const Packet packet_{there(av_packet_alloc())};
};

}  // namespace

std::unique_ptr<VideoFile> create_video(const std::filesystem::path& path, Size size) {
  return std::make_unique<FfmpegVideoFile>(path, size);
}

}  // namespace mpm::program

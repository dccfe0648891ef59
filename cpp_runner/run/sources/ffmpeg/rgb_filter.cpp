#include "run/sources/ffmpeg/rgb_filter.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/opt.h>
}

#include <algorithm>

namespace mpm::ffmpeg {

namespace {

// As in Python: whole chroma, rounded alike on every processor.
constexpr auto to_rgb =
    "scale=out_range=pc:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact,"
    "format=rgb24";
constexpr auto refused = "its colors cannot be converted";

// The option of the filter that frames come in by, where this FFmpeg has it: from 7.0 on.
std::string option(const char* name, int value) {
  const AVClass* options = avfilter_get_by_name("buffer")->priv_class;
  const AVOption* found = av_opt_find2(&options, name, nullptr, 0, AV_OPT_SEARCH_FAKE_OBJ, nullptr);
  return found == nullptr ? "" : std::string(":") + name + "=" + std::to_string(value);
}

std::string describe(const AVFrame& frame) {
  return "buffer@first=video_size=" + std::to_string(frame.width) + "x" +
         std::to_string(frame.height) + ":pix_fmt=" + std::to_string(frame.format) +
         ":time_base=1/1" + option("colorspace", frame.colorspace) +
         option("range", frame.color_range) + "," + to_rgb + ",buffersink@last";
}

Image copy_pixels(const AVFrame& rgb) {
  const Size size{rgb.height, rgb.width};
  const auto row_bytes = 3 * static_cast<std::size_t>(size.width);
  Image image{size, std::vector<std::uint8_t>(row_bytes * static_cast<std::size_t>(size.height))};
  const std::uint8_t* row = rgb.data[0];
  for (auto to = image.pixels.begin(); to != image.pixels.end(); row += rgb.linesize[0]) {
    to = std::copy_n(row, row_bytes, to);
  }
  return image;
}

}  // namespace

Image RgbFilter::image(const AVFrame& frame) {
  make_graph(describe(frame));
  const Picture given(there(av_frame_clone(&frame)));  // another hold on the same pixels
  check(av_buffersrc_add_frame(first_, given.get()), refused);
  const Picture rgb(there(av_frame_alloc()));
  check(av_buffersink_get_frame(last_, rgb.get()), refused);
  return copy_pixels(*rgb);
}

void RgbFilter::make_graph(const std::string& description) {
  if (description == description_) return;
  description_.clear();  // of none, until the new one is whole
  graph_.reset(there(avfilter_graph_alloc()));
  graph_->nb_threads = 1;
  AVFilterInOut* open_inputs = nullptr;
  AVFilterInOut* open_outputs = nullptr;
  check(avfilter_graph_parse2(graph_.get(), description.c_str(), &open_inputs, &open_outputs),
        refused);
  check(avfilter_graph_config(graph_.get(), nullptr), refused);
  first_ = there(avfilter_graph_get_filter(graph_.get(), "buffer@first"));
  last_ = there(avfilter_graph_get_filter(graph_.get(), "buffersink@last"));
  description_ = description;
}

}  // namespace mpm::ffmpeg

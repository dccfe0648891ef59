#include "mpm_runner/runner.hpp"

#include <utility>

#include "c_api/errors.hpp"
#include "c_api/images.hpp"
#include "c_api/options.hpp"
#include "c_api/result.hpp"
#include "run/window_batches.hpp"

struct mpm_runner {
  mpm::Runner runner;
};

struct mpm_stream {
  std::shared_ptr<mpm::Source> source;
  mpm::Stream stream;
};

using namespace mpm::c_api;

namespace {

const mpm::Manifest& manifest_of(const mpm_runner* runner) { return runner->runner.manifest(); }

// One of a list, or nothing.
template <typename T>
const T* at(const std::vector<T>& values, std::int32_t index) {
  return index >= 0 && std::cmp_less(index, values.size())
             ? &values[static_cast<std::size_t>(index)]
             : nullptr;
}

// Runs what `image` makes of the caller's arguments.
template <typename MakeImage>
mpm_code run(const mpm_runner* runner, mpm_outputs outputs, mpm_result** result, mpm_error** error,
             const MakeImage& image) noexcept {
  return made(result, "result", error, [&] {
    return result_of(given(runner, "runner").runner.run(image(), outputs_of(outputs)));
  });
}

// Runs what a source gives.
std::unique_ptr<mpm_stream> stream_of(const mpm_runner& runner, std::shared_ptr<mpm::Source> source,
                                      std::int32_t batch_size, const mpm::Outputs& outputs) {
  mpm::Stream stream = runner.runner.stream_from(source, batch_size, outputs);
  return std::make_unique<mpm_stream>(mpm_stream{std::move(source), std::move(stream)});
}

}  // namespace

mpm_code mpm_runner_open(const char* artifact, const mpm_runner_options* options,
                         mpm_runner** runner, mpm_error** error) {
  return made(runner, "runner", error, [&] {
    return std::make_unique<mpm_runner>(
        mpm::Runner(path_of(artifact, "artifact"), options_of(options)));
  });
}

void mpm_runner_close(mpm_runner* runner) { delete runner; }

const char* mpm_runner_manifest(const mpm_runner* runner) {
  return manifest_of(runner).json.c_str();
}

int32_t mpm_runner_input_height(const mpm_runner* runner) {
  return manifest_of(runner).input.height;
}

int32_t mpm_runner_input_width(const mpm_runner* runner) { return manifest_of(runner).input.width; }

int32_t mpm_runner_classes(const mpm_runner* runner) {
  return static_cast<int32_t>(manifest_of(runner).model.classes.size());
}

const char* mpm_runner_class_name(const mpm_runner* runner, int32_t index) {
  const std::string* name = at(manifest_of(runner).model.classes, index);
  return name == nullptr ? nullptr : name->c_str();
}

const uint8_t* mpm_runner_class_color(const mpm_runner* runner, int32_t index) {
  const mpm::Color* color = at(manifest_of(runner).model.palette, index);
  return color == nullptr ? nullptr : color->data();
}

mpm_code mpm_runner_run_file(const mpm_runner* runner, const char* path, mpm_outputs outputs,
                             mpm_result** result, mpm_error** error) {
  return run(runner, outputs, result, error, [&] { return path_of(path, "path"); });
}

mpm_code mpm_runner_run_bytes(const mpm_runner* runner, const void* bytes, size_t size,
                              mpm_outputs outputs, mpm_result** result, mpm_error** error) {
  return run(runner, outputs, result, error, [&] { return bytes_of(bytes, size); });
}

mpm_code mpm_runner_run_pixels(const mpm_runner* runner, const uint8_t* pixels, int32_t height,
                               int32_t width, ptrdiff_t row_bytes, mpm_channels channels,
                               mpm_outputs outputs, mpm_result** result, mpm_error** error) {
  return run(runner, outputs, result, error,
             [&] { return image_of(pixels, height, width, row_bytes, channels); });
}

mpm_code mpm_runner_stream(const mpm_runner* runner, mpm_images* images, int32_t batch_size,
                           mpm_outputs outputs, mpm_stream** stream, mpm_error** error) {
  return made(stream, "stream", error, [&] {
    const mpm_runner& running = given(runner, "runner");
    mpm_images& list = given(images, "images");
    const mpm::Outputs wanted = outputs_of(outputs);
    mpm::check_batch_size(batch_size);  // before the list is emptied
    return stream_of(running, mpm::open_images(std::move(list.sources)), batch_size, wanted);
  });
}

mpm_code mpm_runner_stream_video(const mpm_runner* runner, const char* place,
                                 const mpm_video_options* options, int32_t batch_size,
                                 mpm_outputs outputs, mpm_stream** stream, mpm_error** error) {
  return made(stream, "stream", error, [&] {
    const mpm_runner& running = given(runner, "runner");
    const mpm::Outputs wanted = outputs_of(outputs);
    mpm::check_batch_size(batch_size);  // before a camera is opened
    const auto video = mpm::open_video(&given(place, "place"), options_of(options));
    return stream_of(running, video, batch_size, wanted);
  });
}

mpm_code mpm_stream_next(mpm_stream* stream, mpm_result** result, mpm_error** error) {
  return made(result, "result", error, [&] {
    std::optional<mpm::Stream::Item> item = given(stream, "stream").stream.next();
    return item ? result_of(std::move(*item)) : nullptr;
  });
}

void mpm_stream_stop(mpm_stream* stream) { stream->source->stop(); }

int64_t mpm_stream_dropped(const mpm_stream* stream) { return stream->source->losses().dropped; }

int64_t mpm_stream_broken(const mpm_stream* stream) { return stream->source->losses().broken; }

int64_t mpm_stream_reconnects(const mpm_stream* stream) {
  return stream->source->losses().reconnects;
}

void mpm_stream_close(mpm_stream* stream) { delete stream; }

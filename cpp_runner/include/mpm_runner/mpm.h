#ifndef MPM_RUNNER_MPM_H
#define MPM_RUNNER_MPM_H

// The runner for C, and for every language that can call C; docs/guides/c.md shows it at work.
//
//   mpm_runner* runner;
//   mpm_result* result;
//   mpm_error* error;
//   if (mpm_runner_open("model.pt2", NULL, &runner, &error) == MPM_OK &&
//       mpm_runner_run_file(runner, "street.jpg", MPM_LABELS, &result, &error) == MPM_OK) {
//     printf("%d\n", mpm_result_labels(result)[0]);
//   }
//
// Ownership: a handle (mpm_runner, mpm_result, ...) is the caller's, who gives each back once to
// the function that its type's last line names; NULL may be given back too. What a function returns
// as a pointer to const is the handle's and lasts as long as it. What is passed in is read or
// copied before a function returns, and stays the caller's.
//
// Threads: a runner may be used by any number of them at once. So may a result, which never
// changes. A list of images and a stream are used by one thread at a time, whichever, but for what
// says otherwise. No handle may be given back while another thread uses it. A runner belongs to the
// process that first uses it: after a fork a call says MPM_ERROR_INPUT there.
//
// Errors: a function that can fail returns a code, and sets `error` to one with the same code, or
// to NULL where all is well, whatever it was before. `error` itself may be NULL. What was to be
// made is NULL then. No exception leaves this interface; the library ends no process, prints
// nothing and handles no signal. Libraries beneath it do: libgomp, which shares libtorch's
// operators out, says so and ends the process where it cannot start a thread. FFmpeg's, which read
// videos, say on stderr what they meet, until the program calls their
// av_log_set_level(AV_LOG_QUIET).
//
// Text is UTF-8 and ends with a zero; in error messages, what is not UTF-8 is escaped. Paths are
// the file system's bytes.
//
// Compatibility: the library's soname is libmpm_runner.so.1, of MPM_ABI_VERSION. Within it,
// functions, codes and options are added, and none is changed or taken away. No types but
// mpm_runner_options and mpm_video_options have a layout that a caller needs to know.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- versions ---

#define MPM_ABI_VERSION 1

// The library's, as in "0.1.0".
const char* mpm_version(void);
// MPM_ABI_VERSION as the library was built.
int32_t mpm_abi_version(void);

// --- errors ---

typedef int32_t mpm_code;
enum {
  MPM_OK = 0,
  MPM_ERROR_ARTIFACT = 1,    // not an artifact, or a damaged, foreign, newer or untrusted one
  MPM_ERROR_HOST = 2,        // it does not fit this machine, or the machine is short of something
  MPM_ERROR_MODEL = 3,       // the model gives no numbers
  MPM_ERROR_IMAGE = 4,       // an image that cannot be decoded
  MPM_ERROR_INPUT = 5,       // an argument out of range, or NULL; a video that cannot be read
  MPM_ERROR_UNEXPECTED = 6,  // a fault of this library: please report it
};

// An error with a cure.
typedef struct mpm_error mpm_error;

mpm_code mpm_error_code(const mpm_error* error);
// Where, what was expected and what came, in a sentence.
const char* mpm_error_problem(const mpm_error* error);
// What to do about it; "" where that is plain.
const char* mpm_error_hint(const mpm_error* error);
void mpm_error_free(mpm_error* error);

// --- the runner ---

// At what size label maps come.
typedef int32_t mpm_label_size;
enum {
  MPM_LABEL_SIZE_IMAGE = 0,  // the image's own
  MPM_LABEL_SIZE_INPUT = 1,  // what it is resized to for the model
};

// Every option is its default where it is 0 or NULL. More may follow the last one: `size` says
// which ones the caller knows. A newer caller's are refused only where they are set.
//
//   mpm_runner_options options = {.size = sizeof options, .threads = 2};
typedef struct mpm_runner_options {
  size_t size;         // sizeof(mpm_runner_options)
  const char* device;  // "cpu", "cuda" or "cuda:1"; default: what the artifact was built for
  const char* trust;   // a public key in PEM, or a folder of them, one of which must have
                       // signed the artifact; default: what MPM_TRUST names, or the machine's
  int32_t threads;     // that operators on the CPU share; default: one a core
  int32_t workers;     // threads that decode and fit; default: one a core, at most 8
  int32_t stride;      // pixels from one window to the next; default: the artifact's
  int32_t max_pixels;  // of the largest image that is decoded; default: 128 million
  mpm_label_size label_size;  // default: MPM_LABEL_SIZE_IMAGE
  int32_t reserved;           // 0: no option of a later version lies in a gap of this one
} mpm_runner_options;

// An open artifact.
typedef struct mpm_runner mpm_runner;

// Opens an artifact, whose code is run: name in `trust` whose you run. options may be NULL. Errors:
// ARTIFACT, HOST; INPUT: an option out of range.
mpm_code mpm_runner_open(const char* artifact, const mpm_runner_options* options,
                         mpm_runner** runner, mpm_error** error);
// Results and streams outlive the runner they come from.
void mpm_runner_close(mpm_runner* runner);

// The artifact's manifest as it stands in the file: JSON, docs/formats/artifact.md.
const char* mpm_runner_manifest(const mpm_runner* runner);
// The model's input size in pixels.
int32_t mpm_runner_input_height(const mpm_runner* runner);
int32_t mpm_runner_input_width(const mpm_runner* runner);
// How many classes the model tells apart.
int32_t mpm_runner_classes(const mpm_runner* runner);
// The name of a class from 0 up; NULL where there is none of that number.
const char* mpm_runner_class_name(const mpm_runner* runner, int32_t index);
// Its color for drawing, three bytes: red, green, blue; NULL where there is none of that number.
const uint8_t* mpm_runner_class_color(const mpm_runner* runner, int32_t index);

// --- one image ---

// What to make of an image, one or several joined by |; what is not asked for is not made.
typedef uint32_t mpm_outputs;
enum {
  MPM_LABELS = 1,
  MPM_SCORES = 2,
  MPM_PROBABILITIES = 4,
};

typedef int32_t mpm_channels;
enum {
  MPM_RGB = 0,
  MPM_BGR = 1,  // as OpenCV has them
};

// What the model said of an image.
typedef struct mpm_result mpm_result;

// Each runs one image on the caller's thread and returns when it is done. Errors: IMAGE, MODEL,
// HOST; INPUT: an argument out of range.

// A JPEG or PNG, whatever its name says, turned as its EXIF orientation says.
mpm_code mpm_runner_run_file(const mpm_runner* runner, const char* path, mpm_outputs outputs,
                             mpm_result** result, mpm_error** error);
// The bytes of such a file.
mpm_code mpm_runner_run_bytes(const mpm_runner* runner, const void* bytes, size_t size,
                              mpm_outputs outputs, mpm_result** result, mpm_error** error);
// Pixels of three bytes, row by row. row_bytes: from the start of one row to that of the next, at
// least 3 * width, less than 0 where `pixels` is the last row in memory; 0: rows follow one
// another.
mpm_code mpm_runner_run_pixels(const mpm_runner* runner, const uint8_t* pixels, int32_t height,
                               int32_t width, ptrdiff_t row_bytes, mpm_channels channels,
                               mpm_outputs outputs, mpm_result** result, mpm_error** error);

// --- many images ---

// A list of images that come in any of these ways. Adding one copies bytes and pixels; files are
// read when they are run.
typedef struct mpm_images mpm_images;

mpm_code mpm_images_new(mpm_images** images, mpm_error** error);
// Errors: HOST: no memory; INPUT: as above. The list is as it was then.
mpm_code mpm_images_add_file(mpm_images* images, const char* path, mpm_error** error);
mpm_code mpm_images_add_bytes(mpm_images* images, const void* bytes, size_t size,
                              mpm_error** error);
mpm_code mpm_images_add_pixels(mpm_images* images, const uint8_t* pixels, int32_t height,
                               int32_t width, ptrdiff_t row_bytes, mpm_channels channels,
                               mpm_error** error);
void mpm_images_free(mpm_images* images);

// Images on their way: decoding, the model and label maps side by side, on threads of its own.
typedef struct mpm_stream mpm_stream;

// Begins to run all images of a list, batch_size at a time, and leaves the list empty, to be filled
// anew. Errors: HOST: no thread or memory, and the list may be empty; INPUT: a batch size below 1,
// and the list is as it was.
mpm_code mpm_runner_stream(const mpm_runner* runner, mpm_images* images, int32_t batch_size,
                           mpm_outputs outputs, mpm_stream** stream, mpm_error** error);
// Waits for the next result, in the order of the list or the video; NULL after the last, with
// MPM_OK. An image that fails is no error here: its result has a reason, and the others go on.
// Errors: HOST; INPUT: after a fork, or where a video cannot be read on. Nothing follows an error.
mpm_code mpm_stream_next(mpm_stream* stream, mpm_result** result, mpm_error** error);
// May be closed early: what is under way is finished, the rest is not begun.
void mpm_stream_close(mpm_stream* stream);

// --- a video, or a camera ---

// How to read it. As with mpm_runner_options, 0 is the default of each.
typedef struct mpm_video_options {
  size_t size;            // sizeof(mpm_video_options)
  double reconnect_wait;  // seconds at most until a live source that broke is opened again: waits
                          // double from 1 second on; default: 30
  double timeout;         // seconds without a frame after which it has broken; default: 10
  int32_t reconnect;      // how often in a row it is opened again; default: 10; -1: never
  int32_t reserved;       // 0
} mpm_video_options;

// Begins to run the frames of a video, batch_size at a time. place: a file; an address, as
// rtsp://camera/street or https://...; a camera, /dev/video0. Of what is live, which nobody knows
// the end of, each frame is the newest when the model is ready for it, and a larger batch waits for
// more of them: docs/formats/video.md says which pixels and which time a frame has. options may be
// NULL. Waits for what the video says of itself. Errors: HOST: no thread or memory, or a library
// that was built without FFmpeg; INPUT: it cannot be opened, has no video, or an argument is out of
// range.
mpm_code mpm_runner_stream_video(const mpm_runner* runner, const char* place,
                                 const mpm_video_options* options, int32_t batch_size,
                                 mpm_outputs outputs, mpm_stream** stream, mpm_error** error);
// By any thread: what waits for a frame returns, and after what is under way nothing more comes.
void mpm_stream_stop(mpm_stream* stream);

// What was lost so far; by any thread; 0 of a list. Frames of a live source that a newer one took
// the place of.
int64_t mpm_stream_dropped(const mpm_stream* stream);
// Frames that could not be decoded.
int64_t mpm_stream_broken(const mpm_stream* stream);
// How often a live source that broke was opened again.
int64_t mpm_stream_reconnects(const mpm_stream* stream);

// --- the result ---

// Why this image of a stream could not be run; NULL where it was. There is nothing else of it then.
const char* mpm_result_reason(const mpm_result* result);
// The path of the file; "" where the image came as bytes or pixels; "street.mp4, frame 12".
const char* mpm_result_source(const mpm_result* result);
// Its number among the images of its list or the frames of its video, from 1; 0 where it is of no
// stream, and where there is a reason.
int64_t mpm_result_index(const mpm_result* result);
// Of a frame, seconds since the first one of its video; less than 0 of what is no frame.
double mpm_result_time(const mpm_result* result);

// The label map's size in pixels; 0 where it was not asked for.
int32_t mpm_result_height(const mpm_result* result);
int32_t mpm_result_width(const mpm_result* result);
// The class of every pixel: (height, width), row by row; NULL where it was not asked for.
const uint16_t* mpm_result_labels(const mpm_result* result);

// The grid of scores and probabilities; 0 where neither was asked for. docs/guides/outputs.md says
// how it lies on the image.
int32_t mpm_result_score_rows(const mpm_result* result);
int32_t mpm_result_score_columns(const mpm_result* result);
// Values for every class at every point: (classes, rows, columns); NULL where they were not asked
// for.
const float* mpm_result_scores(const mpm_result* result);
const float* mpm_result_probabilities(const mpm_result* result);

// How often tokens merged; 0 for a full-token model.
int32_t mpm_result_merges(const mpm_result* result);
// Tokens left after each merge: (merges,); NULL where there is none.
const int32_t* mpm_result_tokens_kept(const mpm_result* result);

typedef int32_t mpm_stage;
enum {
  MPM_STAGE_DECODE = 0,  // file to pixels; 0 for an image that came as pixels
  MPM_STAGE_FIT = 1,     // resize to the model's input
  MPM_STAGE_COPY = 2,    // images into one batch on the device
  MPM_STAGE_SCORES = 3,  // the model
  MPM_STAGE_LABELS = 4,  // scores to label maps and whatever else was asked for
};
// Milliseconds that a stage took: decode and fit of this image, the others of its whole batch. 0 of
// a stage that is none.
double mpm_result_stage_ms(const mpm_result* result, mpm_stage stage);

void mpm_result_free(mpm_result* result);

#ifdef __cplusplus
}
#endif

#endif

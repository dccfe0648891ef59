#pragma once

#include <stdint.h>

#include "mpm_kernels/outcome.h"

#ifdef __cplusplus
extern "C" {
#endif

// The windows that were slid over an image: at every top with every left, row by row. Every pixel
// of the image lies on a window or more.
typedef struct {
  int64_t height, width;  // of the image
  int64_t window_height, window_width;
  int64_t rows, columns;  // of windows
  const int64_t* tops;    // (rows,) ascending: first rows of pixels
  const int64_t* lefts;   // (columns,) ascending: first columns
} mpm_window_grid;

// Upsamples the scores of each window bilinearly to its pixels, takes the mean where windows
// overlap, resizes that bilinearly to the label map's size (pixel centres aligned), and takes the
// best class of each pixel, the lowest where two are equal.
//
// scores: (rows * columns, classes, down, across) float32, finite, and below 2^100. labels:
// (height, width) uint8_t, or int16_t where classes > 256. They must not overlap.
//
// It takes memory for some rows of the image and of the label map, whatever the number of classes,
// starts no thread and keeps nothing: any number of threads may call it at once.
MPM_EXPORT int mpm_window_label_map(const float* scores, int64_t classes, int64_t down,
                                    int64_t across, const mpm_window_grid* grid, int64_t height,
                                    int64_t width, void* labels);

#ifdef __cplusplus
}
#endif

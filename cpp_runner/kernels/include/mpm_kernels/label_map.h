#pragma once

#include <stdint.h>

#include "mpm_kernels/outcome.h"

#ifdef __cplusplus
extern "C" {
#endif

// Upsamples the scores of one image bilinearly (pixel centres aligned) and takes the best class of
// each pixel, the lowest where two are equal.
//
// scores: (classes, down, across) float32. labels: (height, width) uint8_t, or int16_t where
// classes > 256. Neither needs an alignment beyond its type's; they must not overlap.
//
// Beside them it takes 2 * classes * (across + 14) + 8 * (height + width) + 32 * down + 48 * across
// bytes and a few hundred more. It starts no thread and keeps nothing: any number of threads may
// call it at once. Finite scores are to be below 2^127, so that no step overflows.
// Not-a-number and infinite scores give some label, and do no harm.
MPM_EXPORT int mpm_label_map(const float* scores, int64_t classes, int64_t down, int64_t across,
                             int64_t height, int64_t width, void* labels);

#ifdef __cplusplus
}
#endif

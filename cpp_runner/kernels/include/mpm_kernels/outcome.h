#pragma once

// What a kernel answers.
enum {
  MPM_DONE = 0,
  MPM_BAD_SIZES = 1,  // a size below 1 or above the largest, or windows that do not fit their image
  MPM_NO_MEMORY = 2,
};

enum {
  MPM_LARGEST_SIDE = 1 << 20,     // of scores, images and label maps
  MPM_LARGEST_CLASSES = 1 << 15,  // what int16 can name
};

#define MPM_EXPORT __attribute__((visibility("default")))

// Segments a gray image.

#include <mpm_runner/mpm.h>
#include <stdio.h>
#include <string.h>

static int fail(mpm_error* error) {
  fprintf(stderr, "%s\n%s\n", mpm_error_problem(error), mpm_error_hint(error));
  mpm_error_free(error);
  return 1;
}

int main(int argc, char** argv) {
  static uint8_t gray[480 * 640 * 3];
  mpm_runner* runner;
  mpm_result* result;
  mpm_error* error;
  memset(gray, 128, sizeof gray);
  if (mpm_abi_version() != MPM_ABI_VERSION) return 1;
  if (mpm_runner_open(argc > 1 ? argv[1] : "segmenter.pt2", NULL, &runner, &error)) {
    return fail(error);
  }
  if (mpm_runner_run_pixels(runner, gray, 480, 640, 0, MPM_RGB, MPM_LABELS, &result, &error)) {
    return fail(error);
  }
  printf("%d x %d: %s\n", mpm_result_height(result), mpm_result_width(result),
         mpm_runner_class_name(runner, mpm_result_labels(result)[0]));
  mpm_result_free(result);
  mpm_runner_close(runner);
  return 0;
}

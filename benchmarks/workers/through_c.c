// through_c ARTIFACT IMAGE ...
//
// Opens an artifact; then, for each line of stdin, runs each image and prints the seconds that
// took.

#define _POSIX_C_SOURCE 199309L

#include <mpm_runner/mpm.h>
#include <stdio.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int fail(mpm_error* error) {
  fprintf(stderr, "error: %s\n", mpm_error_problem(error));
  mpm_error_free(error);
  return 1;
}

static mpm_code run_all(mpm_runner* runner, char** files, mpm_error** error) {
  for (; *files != NULL; ++files) {
    mpm_result* result;
    const mpm_code code = mpm_runner_run_file(runner, *files, MPM_LABELS, &result, error);
    if (code != MPM_OK) return code;
    mpm_result_free(result);
  }
  return MPM_OK;
}

int main(int argc, char** argv) {
  char line[80];
  mpm_runner* runner;
  mpm_error* error;
  if (argc < 3) return fputs("through_c ARTIFACT IMAGE ...\n", stderr), 2;
  if (mpm_runner_open(argv[1], NULL, &runner, &error) != MPM_OK) return fail(error);
  while (fgets(line, sizeof line, stdin) != NULL) {
    const double begin = now();
    if (run_all(runner, argv + 2, &error) != MPM_OK) return fail(error);
    printf("%.9f\n", now() - begin);
    fflush(stdout);
  }
  mpm_runner_close(runner);
  return 0;
}

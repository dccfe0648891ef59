#pragma once

#include "mpm_runner/mpm.h"
#include "mpm_runner/runner.hpp"

namespace mpm::c_api {

// The options that a caller of any version gives; NULL: all are the default. Throws InputError:
// they have no size, or one is set that this library does not know.
RunnerOptions options_of(const mpm_runner_options* options);
VideoOptions options_of(const mpm_video_options* options);

// Throws InputError: something else is asked for than there is.
Outputs outputs_of(mpm_outputs outputs);

}  // namespace mpm::c_api

#pragma once

#include "mpm_runner/error.hpp"
#include "mpm_runner/image.hpp"
#include "mpm_runner/manifest.hpp"
#include "mpm_runner/model.hpp"
#include "mpm_runner/result.hpp"
#include "mpm_runner/runner.hpp"
#include "mpm_runner/source.hpp"
#include "mpm_runner/stream.hpp"
#include "mpm_runner/windows.hpp"

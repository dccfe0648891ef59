#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mpm_runner/mpm.h"
#include "mpm_runner/result.hpp"
#include "mpm_runner/stream.hpp"

struct mpm_result {
  mpm::Result result;
  std::optional<std::string> reason = {};  // why there is none
};

namespace mpm::c_api {

std::unique_ptr<mpm_result> result_of(Stream::Item item);

}  // namespace mpm::c_api

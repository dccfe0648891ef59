#pragma once

// Images as C gives them.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "mpm_runner/image.hpp"
#include "mpm_runner/mpm.h"

struct mpm_images {
  std::vector<mpm::ImageSource> sources;
};

namespace mpm::c_api {

// Each throws InputError: a pointer is NULL, or a number out of range.
std::filesystem::path path_of(const char* path, const char* name);
std::span<const std::uint8_t> bytes_of(const void* bytes, std::size_t size);
Image image_of(const std::uint8_t* pixels, std::int32_t height, std::int32_t width,
               std::ptrdiff_t row_bytes, mpm_channels channels);

}  // namespace mpm::c_api

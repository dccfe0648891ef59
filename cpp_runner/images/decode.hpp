#pragma once

#include <filesystem>
#include <span>

#include "images/formats/raster.hpp"

namespace mpm {

// Whether a name ends as an image's does, in any case.
bool has_image_suffix(const std::filesystem::path& file);

// As `decode`, of an image that is let in first.
Image decode_admitted(const std::filesystem::path& file, const Admit& admit);
Image decode_admitted(std::span<const std::uint8_t> file_bytes, const Admit& admit);

}  // namespace mpm

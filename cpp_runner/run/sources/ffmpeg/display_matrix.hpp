#pragma once

#include "run/sources/ffmpeg/handles.hpp"

namespace mpm::ffmpeg {

// How a frame is to be turned, as an EXIF orientation, 1 to 8: by its own display matrix, or by its
// stream's. 1 where there is none, or one that turns by no right angle.
int orientation_of(const AVFrame& frame, const AVStream& stream);

// Of a display matrix.
int orientation_of(const std::int32_t* matrix);

}  // namespace mpm::ffmpeg

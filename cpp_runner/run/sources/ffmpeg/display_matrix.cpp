#include "run/sources/ffmpeg/display_matrix.hpp"

#include <algorithm>
#include <array>

namespace mpm::ffmpeg {

namespace {

// FFmpeg has kept it with the stream's parameters since 6.1, and no more with the stream itself
// since 8.
template <typename Parameters, typename Stream>
const std::uint8_t* matrix_of(const Parameters& parameters, const Stream& stream) {
  constexpr auto kind = AV_PKT_DATA_DISPLAYMATRIX;
  if constexpr (requires { parameters.coded_side_data; }) {
    const auto* found =
        av_packet_side_data_get(parameters.coded_side_data, parameters.nb_coded_side_data, kind);
    return found == nullptr ? nullptr : found->data;
  } else {
    return av_stream_get_side_data(&stream, kind, nullptr);
  }
}

int sign(std::int32_t value) { return (value > 0) - (value < 0); }

// A pixel at (column, row) goes to (a · column + c · row, b · column + d · row), but for where the
// edges are. In the order of EXIF.
struct Turn {
  int a, b, c, d;
  bool operator==(const Turn&) const = default;
};

constexpr std::array<Turn, 8> turns{{{1, 0, 0, 1},
                                     {-1, 0, 0, 1},
                                     {-1, 0, 0, -1},
                                     {1, 0, 0, -1},
                                     {0, 1, 1, 0},
                                     {0, 1, -1, 0},
                                     {0, -1, -1, 0},
                                     {0, -1, 1, 0}}};

}  // namespace

int orientation_of(const std::int32_t* matrix) {
  const Turn turn{sign(matrix[0]), sign(matrix[1]), sign(matrix[3]), sign(matrix[4])};
  const auto found = std::find(turns.begin(), turns.end(), turn);
  return found == turns.end() ? 1 : static_cast<int>(found - turns.begin()) + 1;
}

int orientation_of(const AVFrame& frame, const AVStream& stream) {
  const AVFrameSideData* own = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  const std::uint8_t* matrix = own != nullptr ? own->data : matrix_of(*stream.codecpar, stream);
  return matrix == nullptr ? 1 : orientation_of(reinterpret_cast<const std::int32_t*>(matrix));
}

}  // namespace mpm::ffmpeg

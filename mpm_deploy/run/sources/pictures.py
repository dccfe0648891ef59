"""Turn what a decoder gives into RGB, by the rule of `docs/formats/video.md`.

decoded picture ─▶ FFmpeg's filter graph ─▶ RGB ─▶ upright, by the display matrix
"""

import threading
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats.orientation import turn_upright
from mpm_deploy.images.formats.raster import Pixels, Raster
from mpm_deploy.run.sources.frame import Frame

if TYPE_CHECKING:
    from av import VideoFrame
    from av.filter import Graph

# As in C++: whole chroma, rounded alike on every processor.
SCALE = "out_range=pc:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"

_ANY_TIME = Fraction(1, 1000)  # no filter here looks at the clock

# Signs of the display matrix's a, b, c and d, and the EXIF orientation that asks for the same.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


class _Converters(threading.local):
    """Holds the filter graph of each thread, for pictures like the last one."""

    kind: Any = None
    graph: "Graph"

    def convert(self, picture: "VideoFrame") -> "VideoFrame":
        size, colors = (picture.width, picture.height), (picture.colorspace, picture.color_range)
        kind = (size, picture.format.name, colors)
        if kind != self.kind:
            self.graph, self.kind = _graph_for(picture), kind
        self.graph.vpush(picture)
        return self.graph.vpull()


_converters = _Converters()


def frame_of(source: str, index: int, time: float, picture: "VideoFrame") -> Frame:
    """Make the frame of a decoded picture, which is converted where its pixels are asked for."""
    size = (picture.height, picture.width)
    return Frame(source, index, time, size, partial(rgb_of, picture))


def rgb_of(picture: "VideoFrame") -> Pixels:
    """Return ``(height, width, 3)`` uint8 RGB, upright.

    Raises:
        ImageError: FFmpeg cannot convert its colors.
    """
    from av.error import FFmpegError

    try:
        pixels: Any = _converters.convert(picture).to_ndarray()
    except (FFmpegError, ValueError) as error:
        raise ImageError(f"its colors, {picture.format.name}, cannot be converted") from error
    return turn_upright(Raster(pixels, orientation_of(picture)))


def orientation_of(picture: "VideoFrame") -> int:
    """Return the EXIF orientation that a picture's display matrix asks for.

    1, as it is, where there is none or it turns by no whole quarter.
    """
    from av.sidedata.sidedata import Type

    sides: Mapping[Any, Any] = picture.side_data  # what PyAV says of its type is wrong
    if Type.DISPLAYMATRIX not in sides:
        return 1
    a, b, _, c, d = np.sign(np.frombuffer(bytes(sides[Type.DISPLAYMATRIX]), np.int32)[:5])
    return _ORIENTATIONS.get((a, b, c, d), 1)


def _graph_for(picture: "VideoFrame") -> "Graph":
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    buffer = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=_ANY_TIME,
    )
    scale = graph.add("scale", SCALE)
    rgb = graph.add("format", "rgb24")
    graph.link_nodes(buffer, scale, rgb, graph.add("buffersink")).configure()
    return graph

"""Draws label maps over the frames of a video, into another video.

`cpp_runner/program/overlay_video.cpp` draws the same bytes.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import fit
from mpm_deploy.run.sources.decoder import require_av
from mpm_deploy.show.drawing.labels import Labels, overlay
from mpm_deploy.support.refusal import refusal

SUFFIXES = (".mp4", ".mkv")

# A process that is killed leaves what it wrote so far as a video that plays: an MP4 of fragments,
# each of which says what is in it, from key frame to key frame. Matroska's clusters are such, and
# would wait for more bytes than small frames have.
_OPTIONS = {
    ".mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    ".mkv": {"cluster_time_limit": "500"},  # milliseconds
}
_FLUSHED = {"flush_packets": "1"}
_ENCODERS = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency", "crf": "20"},  # holds no frame back
    "mpeg4": {"flags": "+qscale", "global_quality": "354"},  # a scale of 3, in lambda
}
_KEY_FRAMES = 48  # frames from one to the next: as much is lost when the process is killed
_TICK = Fraction(1, 60_000)  # seconds; MPEG-4 has none shorter, and the common rates are multiples


class OverlayVideo:
    """A video of frames with their label maps over them, half and half, at the frames' own times.

    It has the size of its first frame, made even; frames of another size are resized to that.

    Args:
        path: A ``.mp4`` or ``.mkv``; it is there from the first frame on.
        palette: Red, green, blue of each class.

    Raises:
        MissingPackageError: PyAV is not installed.
    """

    def __init__(self, path: Path, palette: Sequence[tuple[int, int, int]]) -> None:
        self._av = require_av(str(path))
        self._path = path
        self._palette = palette
        self._size = (0, 0)  # height, width
        self._last = -1  # ticks
        self._container: Any = None  # PyAV's, from the first frame on
        self._stream: Any = None

    def write(self, pixels: NDArray[np.uint8], labels: Labels, seconds: float) -> None:
        """Draw the next frame.

        Args:
            pixels: ``(height, width, 3)`` uint8 RGB.
            labels: ``(height, width)`` class indices.
            seconds: When it is shown.

        Raises:
            InputError: It cannot be written, as on a full disk; what was written before plays.
        """
        if self._container is None:
            self._open(*pixels.shape[:2])
        drawn = overlay(pixels, labels, self._palette)
        frame = self._av.VideoFrame.from_ndarray(resized(drawn, self._size))
        self._last = frame.pts = max(round(seconds / _TICK), self._last + 1)
        frame.time_base = _TICK
        self._encode(frame)

    def close(self) -> None:
        """Write what the encoder still holds, and the file's end.

        Raises:
            InputError: It cannot be written.
        """
        if self._container is not None:
            self._encode(None)
            container, self._container = self._container, None
            self._told(container.close)

    def _open(self, height: int, width: int) -> None:
        suffix = self._path.suffix.lower()
        self._size = (height + height % 2, width + width % 2)
        name = self._find_encoder()
        options = {**_OPTIONS[suffix], **_FLUSHED}
        # A name with a colon in it would be an address.
        self._container = self._told(self._av.open, f"file:{self._path}", "w", options=options)
        self._stream = self._container.add_stream(name, options=_ENCODERS[name])
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = _KEY_FRAMES
        self._stream.codec_context.time_base = _TICK

    def _find_encoder(self) -> str:
        for name in _ENCODERS:
            if name in self._av.codecs_available:
                return name
        raise InputError(
            f"{self._path}: this FFmpeg encodes neither H.264 nor MPEG-4",
            "name a folder for label maps, or install an FFmpeg with x264",
        )

    def _encode(self, frame: Any) -> None:
        container, stream = self._container, self._stream
        for packet in self._told(stream.encode, frame):
            self._told(container.mux, packet)

    def _told(self, work: Any, *arguments: Any, **options: Any) -> Any:
        """Do work of FFmpeg's, and tell what the operating system refused to it."""
        try:
            return work(*arguments, **options)
        except self._av.FFmpegError as error:
            self._container = None
            refused = OSError(error.errno, error.strerror)
            raise refusal(InputError, f"{self._path}: cannot write there", refused) from error


def resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Repeat the last row and column of an odd picture, and resize one of another size.

    Args:
        picture: ``(height, width, 3)`` uint8.
        size: ``(height, width)``, both even.

    Returns:
        ``(*size, 3)`` uint8.
    """
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    if even.shape[:2] == size:
        return even
    planes = fit(torch.from_numpy(even).permute(2, 0, 1), size)  # (3, *size)
    return np.ascontiguousarray(planes.permute(1, 2, 0).numpy())

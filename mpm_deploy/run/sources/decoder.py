"""Decodes the video of a file, an address or a device, by FFmpeg's libraries."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from mpm_deploy.errors import InputError, MissingPackageError
from mpm_deploy.run.sources.source import Losses
from mpm_deploy.support.cores import available_cores

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

_MOST_THREADS = 16  # more decode no faster
_PASSWORD = re.compile(r"^(\w+://[^/@:]*):[^/]*@")


class Decoder:
    """Opens a video and yields its pictures, without those that are broken.

    Args:
        place: What FFmpeg opens.
        name: What messages call it.
        losses: Where pictures that cannot be decoded are counted.
        form: The name of its format in FFmpeg, where FFmpeg is not to find it out.
        options: Of FFmpeg, for opening it.
        timeout: Seconds that opening, and every reading, may take; None is any time.
        at_once: Whether a picture is given as soon as it is there, not once threads are busy with
            those behind it.

    Raises:
        InputError: It cannot be opened, or no video is in it.
        MissingPackageError: PyAV is not installed.
    """

    def __init__(
        self,
        place: str,
        name: str,
        losses: Losses,
        form: str | None = None,
        options: Mapping[str, str] | None = None,
        timeout: float | None = None,
        at_once: bool = False,
    ) -> None:
        self._av = require_av(name)
        self.name = name
        self._losses = losses
        self._timeout = timeout
        self._given = 0
        self._first: float | None = None
        self._last = 0.0
        try:
            self._container = self._av.open(
                place, format=form, options=dict(options or {}), timeout=timeout
            )
        except self._av.FFmpegError as error:
            raise self._unreadable(error) from error
        self._stream = self._find_video()
        self._stream.thread_type = "SLICE" if at_once else "AUTO"
        self._stream.codec_context.thread_count = min(available_cores(), _MOST_THREADS)

    @property
    def endless(self) -> bool:
        """Whether nobody knows how long it is, as of a camera."""
        return not self._container.duration and not self._stream.duration

    @property
    def frames(self) -> int | None:
        """How many frames there are, by what its head says; None where that says nothing."""
        return self._stream.frames or None

    def __iter__(self) -> "Iterator[tuple[float, VideoFrame]]":
        """Yield each picture, and how many seconds after the first one it is to be shown.

        One without a time comes a frame's duration after the one before.

        Raises:
            InputError: It cannot be read on, or ended without a single picture.
        """
        try:
            for packet in self._container.demux(self._stream):
                yield from self._pictures(packet.decode)
        except self._av.FFmpegError as error:
            yield from self._pictures(self._stream.codec_context.decode)  # that it still holds
            raise self._unreadable(error) from error
        if not self._given:
            raise InputError(
                f"{self.name}: not one frame in it can be decoded",
                "the file is cut off or damaged: copy it again",
            )

    def close(self) -> None:
        """Close the file or the connection."""
        self._container.close()

    def _pictures(
        self, decode: "Callable[[], list[VideoFrame]]"
    ) -> "Iterator[tuple[float, VideoFrame]]":
        try:
            pictures = decode()
        except self._av.FFmpegError:
            self._losses.broken += 1
            return
        for picture in pictures:
            if picture.is_corrupt:
                self._losses.broken += 1
            else:
                yield self._time_of(picture), picture
                self._given += 1

    def _time_of(self, picture: "VideoFrame") -> float:
        seconds: float | None = picture.time  # PyAV says of its type that there always is one
        if seconds is None:
            rate = self._stream.average_rate
            self._last = self._last + 1 / float(rate) if self._given and rate else self._last
        else:
            self._first = seconds if self._first is None else self._first
            self._last = seconds - self._first
        return self._last

    def _unreadable(self, error: Any) -> InputError:
        timed_out = isinstance(error, self._av.error.ExitError)
        reason = f"nothing came for {self._timeout:g} seconds" if timed_out else error.strerror
        return InputError(
            f"{self.name}: cannot be read as a video: {reason}",
            "see whether another player opens it: it may be cut off, of another kind, or not there",
        )

    def _find_video(self) -> "VideoStream":
        streams = [stream for stream in self._container.streams if stream.codec_context]
        cover = self._av.stream.Disposition.attached_pic  # of a song: one picture, and no video
        for stream in streams:
            if stream.type == "video" and not stream.disposition & cover:
                return cast("VideoStream", stream)
        kinds = sorted({stream.type for stream in streams if stream.type != "video"})
        self._container.close()
        raise InputError(
            f"{self.name}: no video in it can be decoded, only {' and '.join(kinds) or 'nothing'}",
            "name a file or an address that has pictures",
        )


def require_av(name: str) -> ModuleType:
    """Import PyAV.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPackageError(
            f"{name}: reading videos and cameras needs PyAV", "pip install 'mpm-deploy[video]'"
        ) from error
    return av


def without_password(address: str) -> str:
    """Return an address as messages and files may show it."""
    return _PASSWORD.sub(r"\1:***@", address)

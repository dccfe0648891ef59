"""Reads cameras and addresses on a thread, which keeps up with them whoever waits for what."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from mpm_deploy.errors import InputError
from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.run.sources.decoder import Decoder, without_password
from mpm_deploy.run.sources.frame import Frame
from mpm_deploy.run.sources.handover import Handover
from mpm_deploy.run.sources.pictures import frame_of
from mpm_deploy.run.sources.source import Source

if TYPE_CHECKING:
    from av import VideoFrame

_ADDRESS = re.compile(r"(rtsp|rtsps|rtmp|rtmps|http|https)://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+")
_THROUGH_TCP = {"rtsp_transport": "tcp"}  # passes firewalls, and loses no packets
_FIRST_WAIT = 1.0  # seconds
_FAREWELL = 1.0  # seconds that closing waits for a thread, which may be waiting for the network


class Live(Source):
    """The newest frame of a camera or a stream; every frame of a recording at an address.

    A stream whose end nobody knows is live. Where it breaks it is opened again, and the times of
    its frames go on: they are seconds since the first one came.

    Args:
        place: An address or a device.
        options: How often to open it again, and when.

    Raises:
        InputError: It cannot be opened.
        MissingPackageError: PyAV is not installed.
    """

    def __init__(self, place: str, options: SourceOptions) -> None:
        super().__init__(without_password(place))
        self._place = place
        self._options = options
        self._decoder = self._opened_on_a_thread()
        self.live = self._decoder.endless
        self.total = self._decoder.frames
        self._frames: Handover[tuple[float, VideoFrame]] = Handover(newest=self.live)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="mpm-live", daemon=True)

    @staticmethod
    def takes(place: str) -> bool:
        """Take addresses and cameras."""
        return bool(_ADDRESS.match(place) or _CAMERA.fullmatch(place))

    @classmethod
    def open(cls, place: str, options: SourceOptions) -> "Live":
        """Connect, and wait for what the stream says of itself."""
        return cls(place, options)

    def __iter__(self) -> Iterator[Frame]:
        self._begin()
        self._thread.start()
        begin: float | None = None
        try:
            for index, (seconds, picture) in enumerate(self._frames, start=1):
                begin = seconds if begin is None else begin
                self._count()
                yield frame_of(self.name, index, seconds - begin, picture)
        finally:
            self._count()

    def close(self) -> None:
        """End the connection."""
        super().close()
        self._closed.set()
        self._frames.end()
        if self._thread.ident is None:
            self._decoder.close()
        else:
            self._thread.join(_FAREWELL)

    def _count(self) -> None:
        self.losses.dropped = self._frames.dropped

    def _open(self) -> Decoder:
        is_camera = self._place.startswith("/")
        return Decoder(
            self._place,
            self.name,
            self.losses,
            form="v4l2" if is_camera else None,
            options=_THROUGH_TCP if self._place.lower().startswith("rtsp") else None,
            timeout=self._options.timeout,
            at_once=True,
        )

    def _opened_on_a_thread(self) -> Decoder:
        """Open it where the network may block, so that this thread still hears signals."""
        opened: Future[Decoder] = Future()

        def work() -> None:
            try:
                opened.set_result(self._open())
            except Exception as error:  # noqa: BLE001 - not understood here, only carried over
                opened.set_exception(error)

        threading.Thread(target=work, name="mpm-open", daemon=True).start()
        return opened.result()

    def _read(self) -> None:
        """Hand pictures over, on a thread of its own, until nobody takes them."""
        try:
            for timed in self._endless() if self.live else self._decoder:
                if not self._frames.give(timed):
                    break
            self._frames.end()
        except Exception as error:  # noqa: BLE001 - raised behind the frames before it
            self._frames.end(error)
        finally:
            self._decoder.close()

    def _endless(self) -> "Iterator[tuple[float, VideoFrame]]":
        """Yield pictures with the seconds of a clock when they came, through all that breaks."""
        waits = self._waits()
        while not self._closed.is_set():
            reason = "it ended"
            try:
                for _, picture in self._decoder:
                    waits = self._waits()
                    yield time.monotonic(), picture
                if not self._options.reconnect:
                    return
            except InputError as error:
                reason = error.problem
            self._open_again(waits, reason)

    def _waits(self) -> Iterator[float]:
        """Yield the seconds to wait before each try to open it again."""
        for trial in range(self._options.reconnect):
            yield min(_FIRST_WAIT * 2**trial, self._options.reconnect_wait)

    def _open_again(self, waits: Iterator[float], reason: str) -> None:
        self._decoder.close()
        for wait in waits:
            if self._closed.wait(wait):
                return
            try:
                self._decoder = self._open()
            except InputError as error:
                reason = error.problem
            else:
                self.losses.reconnects += 1
                return
        raise InputError(
            f"{self.name}: the stream broke, and {self._options.reconnect} tries to open it again "
            f"failed: {reason.removeprefix(f'{self.name}: ')}",
            "see whether it is there; --reconnect says how often to try",
        )

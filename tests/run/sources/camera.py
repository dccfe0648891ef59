"""A camera that speaks HTTP: JPEGs without an end, each as gray as its number says."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

SIZE = (64, 48)  # width, height


class Camera:
    """Sends frames to everybody who asks.

    Attributes:
        port: Where it listens on this host.
        rate: Frames a second.
        sent: Frames begun, over all connections.
        frames_each: Frames after which a connection ends; None is never.
        silent: Whether it accepts connections and says nothing.
    """

    def __init__(self, port: int = 0, rate: float = 50.0) -> None:
        self.rate = rate
        self.sent = 0
        self.frames_each: int | None = None
        self.silent = False
        self._ended = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        ThreadingHTTPServer.daemon_threads = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream"

    def close(self) -> None:
        """Go away: connections break, and the port is free."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        given = 0
        try:
            while not self._ended.wait(1 / self.rate):
                if self.silent:
                    continue
                if given == self.frames_each:
                    return
                handler.wfile.write(self._part(self.sent))
                self.sent += 1
                given += 1
        except OSError:
            pass  # it went away

    @staticmethod
    def _part(number: int) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", SIZE, (number % 256,) * 3).save(file, "JPEG", quality=95)
        data = file.getvalue()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data + b"\r\n"


@contextmanager
def camera(**options: float) -> Iterator[Camera]:
    """A camera that is on until the block ends."""
    opened = Camera(**options)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def served(data: bytes, length: bool) -> Iterator[str]:
    """The address of some bytes, whose length is told or not."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            first, _, _ = (
                self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            )
            begin = int(first) if length else 0
            self.send_response(206 if begin else 200)
            if length:
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(len(data) - begin))
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            else:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
            with suppress(OSError):  # it has seen enough
                self.wfile.write(data[begin:] if length else chunk)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/clip"
        server.shutdown()


def number_on(pixels: object) -> int:
    """The number that a frame shows, but for 256 times any."""
    value: int = round(float(pixels.mean()))  # type: ignore[attr-defined]
    return value


def wait_for(condition: object, seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)

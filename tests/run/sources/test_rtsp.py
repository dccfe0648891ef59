"""A real RTSP server on this host, which goes away and comes back."""

import subprocess
import time
from pathlib import Path

import pytest

from mpm_deploy.run.sources import Frame, open_source

SERVER = Path(__file__).parent / "rtsp_server.py"
PYTHON = "/usr/bin/python3"
HAS_SERVER = "import gi; gi.require_version('GstRtspServer', '1.0')"


def has_server() -> bool:
    try:
        tried = subprocess.run([PYTHON, "-c", HAS_SERVER], capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0


pytestmark = pytest.mark.skipif(
    not has_server(),
    reason="needs Debian's gstreamer1.0-rtsp, gstreamer1.0-plugins-good, "
    "gir1.2-gst-rtsp-server-1.0 and python3-gi",
)


def start(*port: int) -> "tuple[subprocess.Popen[str], int]":
    process = subprocess.Popen(
        [PYTHON, str(SERVER), *map(str, port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_frames_come_live_and_again_after_a_restart() -> None:
    server, port = start()
    try:
        address = f"rtsp://127.0.0.1:{port}/test"
        with open_source(address, reconnect=20, reconnect_wait=0.5, timeout=3.0) as source:
            assert source.live
            frames = (frame for frame in source if isinstance(frame, Frame))
            first = next(frames)
            assert first.pixels.shape == (48, 64, 3)
            time.sleep(0.5)
            next(frames), next(frames)
            assert source.losses.dropped > 5
            end(server)
            server, _ = start(port)
            while not source.losses.reconnects:
                last = next(frames)
            later = next(frames)
            assert later.time > last.time
            assert later.pixels.any()
    finally:
        end(server)

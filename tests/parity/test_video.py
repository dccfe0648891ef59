"""Videos: both programs give the same label map and the same line for each frame."""

import json
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.parity.conftest import Run, smooth

av = pytest.importorskip("av", reason="PyAV, which makes the clips, is not installed")

FRAMES = 12
BT601, BT709 = 5, 1  # of FFmpeg's AVColorSpace
LIMITED, FULL = 1, 2  # of its AVColorRange


@pytest.fixture(scope="session", autouse=True)
def _has_video(cpp_video_command: list[str]) -> None:
    """Skip all of it where the C++ program has no videos."""


def write_clip(
    path: Path,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    space: int = BT601,
    span: int = LIMITED,
    size: tuple[int, int] = (50, 78),
    frames: int = FRAMES,
) -> Path:
    """A picture that moves; size: ``(height, width)``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        stream.codec_context.colorspace, stream.codec_context.color_range = space, span
        picture = smooth(size[0], size[1] * 2)
        for number in range(frames):
            left = 2 * number % size[1]
            shown = np.ascontiguousarray(picture[:, left : left + size[1]])
            frame = av.VideoFrame.from_ndarray(shown, "rgb24").reformat(
                format=pixel_format, dst_colorspace=space, dst_color_range=span
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into an MP4's head."""
    data = bytearray(path.read_bytes())
    begin = data.index(b"tkhd") + 44
    data[begin : begin + 36] = struct.pack(
        ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
    return path


def lines_of(answer: "subprocess.CompletedProcess[str]") -> list[Any]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def both(
    mpm_deploy: Run, cpp_runner: Run, words: list[object], tmp_path: Path
) -> tuple[list[Any], list[Any]]:
    """Run both, compare their label maps, exit codes and what they say, and return their lines."""
    answers = []
    for name, run in (("python", mpm_deploy), ("cpp", cpp_runner)):
        out = tmp_path / name
        out.mkdir()
        answers.append(run("run", *words, "-o", out / "maps", "--json", "-"))
    maps = [
        {path.name: path for path in (tmp_path / name / "maps").glob("*.png")}
        for name in ("python", "cpp")
    ]
    assert maps[0].keys() == maps[1].keys()
    for name in maps[0]:
        with Image.open(maps[0][name]) as ours, Image.open(maps[1][name]) as theirs:
            assert np.array_equal(np.asarray(ours), np.asarray(theirs)), name
    assert answers[0].returncode == answers[1].returncode, [answer.stderr for answer in answers]
    return lines_of(answers[0]), lines_of(answers[1])


CLIPS = {
    "bt601.mp4": {},
    "bt709.mkv": {"space": BT709},
    "full.mp4": {"codec": "mjpeg", "pixel_format": "yuvj420p", "span": FULL},
    "whole_chroma.avi": {"codec": "mjpeg", "pixel_format": "yuvj444p", "span": FULL},
    "lossless.mkv": {"codec": "ffv1", "pixel_format": "yuv422p10le"},
}


@pytest.mark.parametrize("name", CLIPS)
def test_label_maps_and_lines_of_a_video(
    name: str, artifact: Path, mpm_deploy: Run, cpp_runner: Run, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / name, **CLIPS[name])
    ours, theirs = both(mpm_deploy, cpp_runner, [artifact, clip, "--batch", 3], tmp_path)
    assert ours == theirs
    assert [line["time"] for line in ours[1:-1]] == pytest.approx(np.arange(FRAMES) / 25)
    assert len({tuple(line["shares"]) for line in ours[1:-1]}) > 1


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, 1)])
def test_a_display_matrix_turns_frames(
    matrix: tuple[int, int, int, int],
    artifact: Path,
    mpm_deploy: Run,
    cpp_runner: Run,
    tmp_path: Path,
) -> None:
    clip = turn(write_clip(tmp_path / "phone.mp4", frames=2), *matrix)
    ours, theirs = both(mpm_deploy, cpp_runner, [artifact, clip], tmp_path)
    assert ours == theirs and len(ours) == 4
    with Image.open(tmp_path / "cpp" / "maps" / "frame_000001.png") as picture:
        assert picture.size == ((50, 78) if matrix[0] == 0 else (78, 50))


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4"])
def test_a_video_that_is_cut_off(
    suffix: str, artifact: Path, mpm_deploy: Run, cpp_runner: Run, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / f"cut.{suffix}", frames=60)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    ours, theirs = both(mpm_deploy, cpp_runner, [artifact, clip], tmp_path)
    assert ours == theirs


def test_what_is_no_video(artifact: Path, mpm_deploy: Run, cpp_runner: Run, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with av.open(str(tmp_path / "song.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    for name in ("text.mp4", "song.mkv", "missing.mp4"):
        words = ("run", artifact, tmp_path / name, "--json", "-")
        ours, theirs = mpm_deploy(*words), cpp_runner(*words)
        assert ours.returncode == theirs.returncode == 1
        assert ours.stderr.startswith(f"error: {tmp_path / name}: "), ours.stderr
        assert theirs.stderr == ours.stderr


def test_a_server_that_says_nothing(artifact: Path, mpm_deploy: Run, cpp_runner: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        words = ("run", artifact, address, "--json", "-", "--timeout", 0.5)
        ours, theirs = mpm_deploy(*words), cpp_runner(*words)
    assert f"{address}: cannot be read as a video: nothing came for 0.5 seconds" in ours.stderr
    assert (theirs.returncode, theirs.stderr) == (ours.returncode, ours.stderr)


class Endless(BaseHTTPRequestHandler):
    """Sends a clip of MPEG-TS at its own pace, over and over, as a camera would."""

    clip: bytes

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        part = 188 * 20
        try:
            for begin in range(0, 400 * part, part):
                at = begin % len(self.clip)
                self.wfile.write(self.clip[at : at + part])
                time.sleep(0.01)
        except OSError:  # whoever looked on has gone
            pass

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[str]:
    clip = write_clip(tmp_path / "live.ts", codec="mpeg2video", frames=200)
    handler = type("Camera", (Endless,), {"clip": clip.read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:secret@127.0.0.1:{server.server_port}/live.ts"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_camera_with_whole_outputs(
    number: int, command: list[str], camera: str, artifact: Path, tmp_path: Path
) -> None:
    lines, maps = tmp_path / "lines.json", tmp_path / "maps"
    words = [*command, "run", artifact, camera, "--json", lines, "-o", maps]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [str(word) for word in words], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until(lambda: len(list(maps.glob("*.png"))) >= 3 or process.poll() is not None)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert "frames dropped, that newer ones took the place of" in errors
    read = [json.loads(line) for line in lines.read_text().splitlines()]
    assert read[0]["live"] and "secret" not in read[0]["source"] + errors
    assert read[-1]["images"] == len(read) - 2
    # A signal may come between a label map and its line.
    assert len(list(maps.glob("*.png"))) - read[-1]["images"] in (0, 1)
    times = [line["time"] for line in read[1:-1]]
    assert times[0] == 0 and times == sorted(times)


def test_a_camera_that_is_gone(
    artifact: Path, mpm_deploy: Run, cpp_runner: Run, tmp_path: Path
) -> None:
    words = ("run", artifact, "http://127.0.0.1:9/a", "--json", "-", "--timeout", 2)
    ours, theirs = mpm_deploy(*words), cpp_runner(*words)
    assert ours.returncode == 1 and ours.stderr.startswith("error: http://127.0.0.1:9/a: ")
    assert (theirs.returncode, theirs.stderr) == (ours.returncode, ours.stderr)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

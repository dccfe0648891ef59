"""Overlay videos of both programs: what they show and when, and what is left after their end."""

import errno
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.conftest import PYTHON, Run
from tests.run.sources.camera import camera, wait_for

av = pytest.importorskip("av", reason="PyAV, which makes the clips, is not installed")

from tests.run.sources.clips_made import pictures, write_clip  # noqa: E402 - needs PyAV

TIMES = [0, 0.04, 0.1, 0.5, 0.54, 1.0]
KEY_FRAMES = 48  # from one to the next
# The same colors go into two encoders of two FFmpegs.
MOST_DIFFERENCE = 1  # levels, on average over a frame


@pytest.fixture(params=["python", "cpp"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """Either program, where it has videos."""
    return PYTHON if request.param == "python" else request.getfixturevalue("cpp_video_command")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, list(pictures(len(TIMES))), times=TIMES)
    return path


def played(file: Path) -> list[tuple[float, np.ndarray]]:
    """Time and RGB of each frame that a player shows, which passes over one that is cut off."""
    frames = []
    with av.open(str(file)) as video:
        for packet in video.demux(video=0):
            with suppress(av.error.InvalidDataError):
                frames += packet.decode()
    return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in frames]


def sizes(file: Path) -> set[tuple[int, ...]]:
    return {picture.shape[:2] for _, picture in played(file)}


def start(command: list[str], *words: object, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*command, "run", *map(str, words)], stderr=subprocess.PIPE, text=True, **options
    )


def run(command: list[str], *words: object, **options: Any) -> tuple[int, str]:
    process = start(command, *words, **options)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_both_show_the_same_at_the_frames_times(
    suffix: str, artifact: Path, clip: Path, cpp_video_command: list[str], tmp_path: Path
) -> None:
    videos = {}
    for name, program in (("python", PYTHON), ("cpp", cpp_video_command)):
        file = tmp_path / f"{name}.{suffix}"
        code, errors = run(program, artifact, clip, "-o", file, "--batch", 2)
        assert code == 0, errors
        assert errors.splitlines()[-1] == f"{len(TIMES)} frames in {file}"
        videos[name] = played(file)
        assert [time for time, _ in videos[name]] == pytest.approx(TIMES, abs=1e-3)
    for (_, ours), (_, theirs) in zip(videos["python"], videos["cpp"], strict=True):
        assert np.abs(ours.astype(int) - theirs).mean() < MOST_DIFFERENCE


def test_frames_of_odd_and_changing_size(
    command: list[str], artifact: Path, tmp_path: Path
) -> None:
    both = b""
    for height, width in ((37, 51), (48, 64)):
        part = list(pictures(2, height, width))
        write_clip(tmp_path / "part", part, codec="mjpeg", pixels="yuvj444p", form="mjpeg")
        both += (tmp_path / "part").read_bytes()
    (tmp_path / "both.mjpeg").write_bytes(both)
    code, errors = run(command, artifact, tmp_path / "both.mjpeg", "-o", tmp_path / "a.mp4")
    assert code == 0, errors
    assert sizes(tmp_path / "a.mp4") == {(38, 52)}
    assert len(played(tmp_path / "a.mp4")) == 4


def test_a_name_in_capitals_with_a_colon_and_a_video_that_was_there(
    command: list[str], artifact: Path, clip: Path, tmp_path: Path
) -> None:
    video = tmp_path / "a:b.MP4"
    video.write_text("of another run")
    code, errors = run(command, artifact, clip, "-o", video.name, cwd=tmp_path)
    assert code == 0, errors
    assert len(played(video)) == len(TIMES)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["{images}", "-o", "{tmp}/a.mp4"], "expected a folder for the label maps of images"),
        (["{images}", "-o", "{tmp}/a.MKV"], "expected a folder for the label maps of images"),
        (["{clip}", "-o", "{tmp}/a.mp4", "--scores"], "--scores: expected a folder"),
        (["{clip}", "-o", "{tmp}/none/a.mp4"], "cannot write there: no such folder"),
        (["{clip}", "-o", "/proc/a.mp4"], "cannot write there: No such file"),
        (["{clip}", "-o", "{clip}"], "clip.mp4: this output would overwrite an input"),
    ],
)
def test_what_makes_no_sense_is_told_alike_before_the_work(
    clip: Path,
    image_folder: Path,
    tmp_path: Path,
    mpm_deploy: Run,
    cpp_video_command: list[str],
    words: list[str],
    problem: str,
) -> None:
    places = {"clip": clip, "images": image_folder, "tmp": tmp_path}
    words = ["none.pt", *(word.format(**places) for word in words)]
    ours, theirs = mpm_deploy("run", *words), run(cpp_video_command, *words)
    assert problem in ours.stderr
    assert (ours.returncode, ours.stderr) == theirs
    assert ours.returncode == 1


def hear_signals() -> None:
    """Undo that a shell has its background jobs ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def enough(lines: Path) -> Callable[[], bool]:
    return lambda: lines.exists() and len(lines.read_text().splitlines()) > KEY_FRAMES + 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_outputs_of_a_camera(
    command: list[str], artifact: Path, tmp_path: Path, number: signal.Signals
) -> None:
    lines, video = tmp_path / "a.jsonl", tmp_path / "a.mp4"
    with camera() as there:
        process = start(
            *(command, artifact, there.address, "-o", video, "--json", lines),
            preexec_fn=hear_signals,
        )
        wait_for(enough(lines), 60)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number, errors
    assert "frames dropped, that newer ones took the place of" in errors
    _, *seen, end = lines_of(lines)
    assert end["images"] == len(seen) == len(played(video))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_killed_process_leaves_a_video_that_plays(
    command: list[str], suffix: str, artifact: Path, tmp_path: Path
) -> None:
    lines, video = tmp_path / "a.jsonl", tmp_path / f"a.{suffix}"
    with camera() as there:
        process = start(command, artifact, there.address, "-o", video, "--json", lines)
        wait_for(enough(lines), 60)
        process.kill()
        process.communicate(timeout=30)
    shown, seen = played(video), lines_of(lines)[1:]
    if suffix == "mp4":  # what follows the last key frame is lost
        assert len(shown) >= KEY_FRAMES
    else:  # half a second, and what a busy machine adds to it
        assert shown[-1][0] > seen[-1]["time"] - 1
    assert len(seen) >= KEY_FRAMES + 12


def test_a_full_disk_is_told_and_what_is_written_plays(
    command: list[str], artifact: Path, tmp_path: Path
) -> None:
    video = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (200, 48, 64, 3), dtype=np.uint8)
    write_clip(tmp_path / "noise.mkv", list(noise))
    limit = 120_000  # bytes a file

    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code, errors = run(command, artifact, tmp_path / "noise.mkv", "-o", video, preexec_fn=shrink)
    assert code == 1
    assert errors.splitlines()[-2:] == [
        f"error: {video}: cannot write there: {os.strerror(errno.EFBIG)}",
        "  hint: raise the limit of a file's size (ulimit -f), or name a place on another disk",
    ]
    assert len(played(video)) >= KEY_FRAMES

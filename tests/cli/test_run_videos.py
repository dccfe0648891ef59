"""``mpm-deploy run`` on videos and cameras: what it writes, and what is left when it is ended."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mpm_deploy import Runner
from tests.cli.running import run
from tests.conftest import CLASSES
from tests.run.sources.camera import camera, wait_for
from tests.run.sources.clips_made import damage, pictures, write_clip

FRAMES = 6


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, list(pictures(FRAMES)), times=[0, 0.04, 0.1, 0.5, 0.54, 1.0])
    return path


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def played(file: Path) -> list[av.VideoFrame]:
    """The frames that a player shows, which passes over a last one that is cut off."""
    frames = []
    with av.open(str(file)) as video:
        for packet in video.demux(video=0):
            with suppress(av.error.InvalidDataError):
                frames += packet.decode()
    return frames


def test_label_maps_and_lines(
    artifact: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, lines = tmp_path / "out", tmp_path / "frames.jsonl"
    assert run("run", artifact, clip, "-o", out, "--json", lines, "--batch", 2) == 0
    assert f"{FRAMES} label maps in {out}" in capsys.readouterr().err
    head, *seen, end = lines_of(lines)
    assert (head["schema"], head["source"], head["live"]) == ("mpm-frames/1", str(clip), False)
    assert len(head["classes"]) == CLASSES
    assert end == {"images": FRAMES, "skipped": 0, "dropped": 0, "broken": 0, "reconnects": 0}
    assert sorted(path.name for path in out.iterdir()) == [
        f"frame_{index:06}.png" for index in range(1, FRAMES + 1)
    ]
    with Runner(artifact) as runner:
        for line, result in zip(seen, runner.run(clip), strict=True):
            assert result.ok
            assert (line["index"], line["time"]) == (result.index, result.time)
            assert line["tokens_kept"] == list(result.tokens_kept)
            shares = np.bincount(result.labels.ravel(), minlength=CLASSES) / result.labels.size
            assert line["shares"] == shares.tolist()
            with Image.open(out / f"frame_{line['index']:06}.png") as label_map:
                assert np.array_equal(np.asarray(label_map), result.labels)


@pytest.mark.parametrize("name", ["overlay.mp4", "overlay.mkv"])
def test_an_overlay_keeps_the_frames_times(
    artifact: Path, clip: Path, tmp_path: Path, name: str
) -> None:
    assert run("run", artifact, clip, "-o", tmp_path / name) == 0
    before, after = played(clip), played(tmp_path / name)
    assert np.allclose([f.time for f in after], [f.time for f in before], atol=1e-3)
    assert {(frame.width, frame.height) for frame in after} == {(64, 48)}


def test_an_overlay_of_frames_of_odd_and_changing_size(artifact: Path, tmp_path: Path) -> None:
    both = b""
    for height, width in ((37, 51), (48, 64)):
        part = list(pictures(2, height, width))
        write_clip(tmp_path / "part", part, codec="mjpeg", pixels="yuvj444p", form="mjpeg")
        both += (tmp_path / "part").read_bytes()
    (tmp_path / "both.mjpeg").write_bytes(both)
    assert run("run", artifact, tmp_path / "both.mjpeg", "-o", tmp_path / "a.mp4") == 0
    assert {(frame.width, frame.height) for frame in played(tmp_path / "a.mp4")} == {(52, 38)}


def test_lines_alone_on_stdout(
    artifact: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", artifact, clip, "--json", "-") == 0
    printed = capsys.readouterr().out.splitlines()
    assert len([json.loads(line) for line in printed]) == FRAMES + 2


def test_lines_of_images_and_of_what_was_skipped(
    artifact: Path, mixed_folder: Path, tmp_path: Path
) -> None:
    assert run("run", artifact, mixed_folder, "--json", tmp_path / "a.jsonl") == 3
    _, *seen, end = lines_of(tmp_path / "a.jsonl")
    assert [line["name"] for line in seen] == sorted(str(path) for path in mixed_folder.iterdir())
    assert seen[0]["skipped"] == "not a JPEG or PNG file"
    assert seen[1]["time"] is None
    assert (end["images"], end["skipped"]) == (5, 1)


def test_folders_in_folders_keep_their_places(
    artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    for folder in ("a", "b/c"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "x.jpg").write_bytes(
            (image_folder / "image_0.jpg").read_bytes()
        )
    assert run("run", artifact, tmp_path / "in", "--recursive", "-o", tmp_path / "out") == 0
    assert (tmp_path / "out" / "a" / "x.png").is_file()
    assert (tmp_path / "out" / "b" / "c" / "x.png").is_file()


def test_a_broken_frame_is_told_and_the_exit_code_says_so(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mkv"
    write_clip(path, list(pictures(5)), options={"g": "1"})
    damage(path, 2)
    assert run("run", artifact, path, "-o", tmp_path / "out") == 3
    assert "1 frames could not be decoded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["{images}", "-o", "{tmp}/a.mp4"], "expected a folder for the label maps of images"),
        (["{clip}", "-o", "{tmp}/a.mp4", "--scores"], "--scores: expected a folder"),
        (["{clip}", "--json", "{tmp}/none/a"], "cannot write there: no such folder"),
        (["{clip}", "-o", "{tmp}/none/a.mp4"], "cannot write there: no such folder"),
        (["{clip}", "-o", "{clip}"], "clip.mp4: this output would overwrite an input"),
        (["{clip}", "--json", "{clip}"], "clip.mp4: this output would overwrite an input"),
        (["{clip}", "{clip}", "-o", "{tmp}/out"], "expected a video or a camera alone"),
        (["{images}", "--recursive", "-o", "{images}/out"], "expected an output folder outside"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(
    artifact: Path,
    clip: Path,
    image_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    problem: str,
) -> None:
    places = {"clip": clip, "images": image_folder, "tmp": tmp_path}
    assert run("run", artifact, *(word.format(**places) for word in words)) == 1
    assert problem in capsys.readouterr().err


def start(*words: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mpm_deploy.cli", "run", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def hear_signals() -> None:
    """Undo that a shell has its background jobs ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def enough(lines: Path) -> Callable[[], bool]:
    return lambda: lines.exists() and len(lines.read_text().splitlines()) > 60


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_outputs_of_a_camera(
    artifact: Path, tmp_path: Path, number: signal.Signals
) -> None:
    lines, video = tmp_path / "a.jsonl", tmp_path / "a.mp4"
    with camera() as there:
        process = start(
            *(artifact, there.address, "-o", video, "--json", lines), preexec_fn=hear_signals
        )
        wait_for(enough(lines), 60)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number, errors
    assert "frames dropped, that newer ones took the place of" in errors
    _, *seen, end = lines_of(lines)
    assert end["images"] == len(seen) == len(played(video))


def test_a_reader_of_a_camera_that_has_seen_enough_ends_the_run(artifact: Path) -> None:
    with camera() as there:
        process = start(artifact, there.address, "--json", "-", stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["live"]
        process.stdout.close()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def test_a_killed_process_leaves_a_video_that_plays(artifact: Path, tmp_path: Path) -> None:
    lines, video = tmp_path / "a.jsonl", tmp_path / "a.mp4"
    with camera() as there:
        process = start(artifact, there.address, "-o", video, "--json", lines)
        wait_for(enough(lines), 60)
        process.kill()
        process.communicate(timeout=30)
    assert len(played(video)) >= 48
    assert len(lines_of(lines)) > 60


def test_a_full_disk_is_told_and_what_is_written_plays(artifact: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (200, 48, 64, 3), dtype=np.uint8)
    write_clip(tmp_path / "noise.mkv", list(noise))
    limit = 120_000  # bytes a file

    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(artifact, tmp_path / "noise.mkv", "-o", video, preexec_fn=shrink)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"error: {video}: cannot write there: {os.strerror(errno.EFBIG)}" in errors, errors
    assert len(played(video)) >= 48

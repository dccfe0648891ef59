"""``mpm-deploy run`` on videos and cameras: what it writes, and what is left when it is ended."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mpm_deploy import Runner
from mpm_deploy.cli.run_outputs import _json_lines
from mpm_deploy.errors import InputError
from tests.cli.running import run
from tests.conftest import CLASSES
from tests.run.sources.camera import camera
from tests.run.sources.clips_made import damage, pictures, write_clip

FRAMES = 6


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, list(pictures(FRAMES)), times=[0, 0.04, 0.1, 0.5, 0.54, 1.0])
    return path


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


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
    assert "1 frame could not be decoded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["{clip}", "--json", "{tmp}/none/a"], "cannot write there: no such folder"),
        (["{clip}", "--json", "{clip}"], "clip.mp4: this output would overwrite an input"),
        (["{clip}", "-o", "{tmp}/a.mp4", "--label-size", "input"], "--label-size: expected image"),
        (["{clip}", "{clip}", "-o", "{tmp}/out"], "expected a video or a camera alone"),
        (["{images}", "--recursive", "-o", "{images}/out"], "expected an output folder outside"),
        (
            ["{images}", "-o", "{images}/one.png"],
            "expected a folder for results, got an image's name",
        ),
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


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["{photos}", "--json", "{artifact}"], "{artifact}: this output would overwrite the"),
        (["{photos}", "--json", "{jpeg}"], "{jpeg}: this output would overwrite an input"),
        (["{photos}", "--json", "{text}"], "{text}: cannot write there: expected a new file or"),
        (
            ["{clip}", "-o", "{out}/o.mp4", "--json", "{out}/o.mp4"],
            "{out}/o.mp4: expected two files for -o and --json",
        ),
        (
            ["{photos}", "-o", "{out}", "--json", "{out}/image_0.png"],
            "{out}/image_0.png: expected two files for -o and --json",
        ),
    ],
)
def test_no_output_takes_the_place_of_another_file(
    clip: Path,
    mixed_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    problem: str,
) -> None:
    places = {
        "artifact": tmp_path / "model.pt",
        "photos": mixed_folder,
        "jpeg": mixed_folder / "image_0.jpg",
        "clip": clip,
        "text": tmp_path / "notes.txt",
        "out": tmp_path / "out",
    }
    places["artifact"].write_text("not opened")
    places["text"].write_text("not of this program")
    places["out"].mkdir()
    before = {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")}
    assert run("run", places["artifact"], *(word.format(**places) for word in words)) == 1
    assert capsys.readouterr().err.startswith(f"error: {problem.format(**places)}")
    assert {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_of_a_line_that_does_not_fit_nothing_is_left(tmp_path: Path) -> None:
    path, line = tmp_path / "a.jsonl", {"text": "x" * 100}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with _json_lines(str(path)) as put:
        put(line)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
        try:
            with pytest.raises(InputError, match="cannot write there: File too large"):
                put(line)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        put({"end": True})
    assert lines_of(path) == [line, {"end": True}]


def start(*words: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mpm_deploy.cli", "run", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def test_a_reader_of_a_camera_that_has_seen_enough_ends_the_run(artifact: Path) -> None:
    with camera() as there:
        process = start(artifact, there.address, "--json", "-", stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["live"]
        process.stdout.close()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors

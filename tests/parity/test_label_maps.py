"""The golden test: for the same file and artifact both programs write the same label map, and the
same class scores.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.ops.label_map.reference import label_map
from tests.parity.conftest import CPP_RUNNER

SCENES = Path(__file__).parent.parent.parent / "examples" / "scenes" / "images"


def label_maps(folder: Path) -> dict[str, np.ndarray]:
    maps = {}
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            assert image.mode == "P"
            maps[path.name] = np.asarray(image)
    return maps


def palettes(folder: Path) -> set[bytes]:
    found = set()
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            found.add(bytes(image.getpalette() or []))
    return found


def assert_same_scores(ours: Path, theirs: Path) -> None:
    """Both folders hold one file of scores a label map, and the label map is the best of them."""
    files = sorted(file.name for file in ours.glob("*.npy"))
    assert files == sorted(file.name for file in theirs.glob("*.npy"))
    assert len(files) == len(label_maps(ours))
    for name in files:
        python, cpp = np.load(ours / name), np.load(theirs / name)
        assert python.dtype == cpp.dtype == np.float32
        assert np.array_equal(python, cpp), name
        with Image.open((ours / name).with_suffix(".png")) as picture:
            labels = np.asarray(picture)
        best = label_map(torch.from_numpy(python)[None], labels.shape)[0].numpy()
        assert np.array_equal(best, labels), name


def assert_same_label_maps(artifact, images, cpp_runner, mpm_deploy, folder, batch, options=()):
    """Both programs write the same label maps and scores, to ``p`` and ``c``; returns the maps."""
    ours, theirs = folder / "p", folder / "c"
    options = (*options, "--scores")
    answer = mpm_deploy("run", artifact, images, "-o", ours, "--batch", batch, *options)
    assert answer.returncode == 0, answer.stderr
    answer = cpp_runner("run", artifact, images, "--output", theirs, *options)
    assert answer.returncode == 0, answer.stderr
    python, cpp = label_maps(ours), label_maps(theirs)
    assert python.keys() == cpp.keys()
    for name in python:
        assert np.array_equal(python[name], cpp[name]), name
    assert_same_scores(ours, theirs)
    return python


def tokens_kept(artifact, images, cpp_runner, mpm_deploy, folder):
    """Both programs count the same tokens and FLOPs, at batch 1; returns the tokens."""
    counted = []
    for number, run in enumerate((mpm_deploy, cpp_runner)):
        report = folder / f"{number}.json"
        answer = run("bench", artifact, images, "--batch", 1, "--json", report)
        assert answer.returncode == 0, answer.stderr
        (row,) = json.loads(report.read_text())["results"]
        counted.append((row["tokens_kept"], row["gflops"]))
    assert counted[0] == counted[1]
    return counted[0][0]


@pytest.fixture(scope="module")
def some_scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for scene in sorted(SCENES.glob("*.jpg"))[:6]:
        (folder / scene.name).write_bytes(scene.read_bytes())
    return folder


@pytest.mark.parametrize("images", ["odd_folder", "some_scenes"])
def test_both_programs_write_the_same_label_maps(
    built, images, cpp_runner, mpm_deploy, tmp_path, request
):
    folder = request.getfixturevalue(images)
    python = assert_same_label_maps(built, folder, cpp_runner, mpm_deploy, tmp_path, batch=4)
    assert len(python) == len(list(folder.iterdir())) >= 6
    assert palettes(tmp_path / "p") == palettes(tmp_path / "c")
    assert len(np.unique(np.concatenate([m.ravel() for m in python.values()]))) > 1


def test_images_that_share_a_stem_overwrite_nothing(
    built, some_scenes, cpp_runner, mpm_deploy, tmp_path
):
    """In a run over several images and folders, which both programs take alike."""
    scenes, folder = sorted(some_scenes.iterdir()), tmp_path / "folder"
    folder.mkdir()
    Image.open(scenes[0]).save(folder / "street.png")
    for name, scene in (("street.jpg", scenes[1]), ("other.jpg", scenes[2])):
        (tmp_path / name).write_bytes(scene.read_bytes())
    images = (folder, tmp_path / "street.jpg", tmp_path / "other.jpg")
    ours, theirs = tmp_path / "p", tmp_path / "c"
    for run, output in ((mpm_deploy, ours), (cpp_runner, theirs)):
        answer = run("run", built, *images, "--output", output, "--scores")
        assert answer.returncode == 0, answer.stderr
        stems = ("street.png", "street.jpg", "other")
        expected = {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "npy")}
        assert {path.name for path in output.iterdir()} == expected
    assert_same_scores(ours, theirs)


def test_a_picture_may_come_through_a_pipe(built, some_scenes, cpp_runner, tmp_path):
    scene = sorted(some_scenes.iterdir())[0]
    for program in ([sys.executable, "-m", "mpm_deploy.cli"], [str(CPP_RUNNER)]):
        for name, image in (("stdin", "/dev/stdin"), (scene.stem, str(scene))):
            command = [*program, "run", str(built), image, "--output", str(tmp_path / "out")]
            subprocess.run(command, input=scene.read_bytes(), check=True, capture_output=True)
            assert (tmp_path / "out" / f"{name}.png").is_file()
        maps = label_maps(tmp_path / "out")
        assert np.array_equal(maps["stdin.png"], maps[f"{scene.stem}.png"])

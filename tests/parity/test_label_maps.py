"""The golden test: for the same file and artifact both programs write the same label map."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCENES = Path(__file__).parent.parent.parent / "examples" / "scenes" / "images"


def label_maps(folder: Path) -> dict[str, np.ndarray]:
    maps = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            assert image.mode == "P"
            maps[path.name] = np.asarray(image)
    return maps


def palettes(folder: Path) -> set[bytes]:
    found = set()
    for path in folder.iterdir():
        with Image.open(path) as image:
            found.add(bytes(image.getpalette() or []))
    return found


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
    ours, theirs = tmp_path / "p", tmp_path / "c"
    answer = mpm_deploy("run", built, folder, "-o", ours, "--batch", 4)
    assert answer.returncode == 0, answer.stderr
    answer = cpp_runner(built, folder, "--output", theirs, "--batch", 1, "--warmup", 1)
    assert answer.returncode == 0, answer.stderr

    python, cpp = label_maps(ours), label_maps(theirs)
    assert len(python) == len(list(folder.iterdir())) >= 6
    assert python.keys() == cpp.keys()
    for name in python:
        assert np.array_equal(python[name], cpp[name]), name
    assert palettes(ours) == palettes(theirs)
    assert len(np.unique(np.concatenate([m.ravel() for m in python.values()]))) > 1

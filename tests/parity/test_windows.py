"""Windows slid over images of any size: both programs write the same label maps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.builder.build import build
from tests.conftest import INPUT_SIZE, small_recipe
from tests.parity.conftest import smooth, with_manifest
from tests.parity.test_label_maps import assert_same_label_maps

STRIDE, SHORT_SIDE = 40, 70
# (height, width): smaller than a window, of its size, one pixel more, very wide, very high, a line.
SIZES = [(5, 5), (20, 33), INPUT_SIZE, (65, 97), (64, 500), (500, 64), (3, 60), (60, 2), (1, 1)]


@pytest.fixture(scope="module")
def sliding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A window of 64 × 96, a short side and a stride that nothing is a multiple of."""
    recipe = small_recipe().override(
        "input.fit=slide", f"input.stride={STRIDE}", f"input.short_side={SHORT_SIDE}"
    )
    return build(recipe, tmp_path_factory.mktemp("sliding") / "sliding.pt")


@pytest.fixture(scope="module")
def sliding_evenly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = small_recipe().override("input.fit=slide_evenly")
    return build(recipe, tmp_path_factory.mktemp("sliding_evenly") / "sliding_evenly.pt")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 images: the sizes above, and others as they come."""
    folder = tmp_path_factory.mktemp("any_size")
    generator = np.random.default_rng(5)
    others = [tuple(generator.integers(10, 240, 2).tolist()) for _ in range(48 - len(SIZES))]
    for index, (height, width) in enumerate([*SIZES, *others]):
        picture = Image.fromarray(smooth(height, width, seed=index))
        picture.save(folder / f"{index:02}.{'png' if index % 3 else 'jpg'}", quality=95)
    return folder


def test_both_programs_write_the_same_label_maps(sliding, images, cpp_runner, mpm_deploy, tmp_path):
    maps = assert_same_label_maps(sliding, images, cpp_runner, mpm_deploy, tmp_path, batch=5)
    assert len(maps) == 48
    assert len(np.unique(np.concatenate([labels.ravel() for labels in maps.values()]))) > 1


def test_both_programs_lay_windows_evenly_alike(
    sliding_evenly, images, cpp_runner, mpm_deploy, tmp_path
):
    maps = assert_same_label_maps(sliding_evenly, images, cpp_runner, mpm_deploy, tmp_path, batch=5)
    assert len(maps) == 48
    assert len(np.unique(np.concatenate([labels.ravel() for labels in maps.values()]))) > 1


def test_both_programs_take_another_stride(sliding, images, cpp_runner, mpm_deploy, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for image in sorted(images.iterdir())[-6:]:
        (few / image.name).write_bytes(image.read_bytes())
    own = assert_same_label_maps(sliding, few, cpp_runner, mpm_deploy, tmp_path / "own", batch=5)
    other = assert_same_label_maps(
        sliding, few, cpp_runner, mpm_deploy, tmp_path / "other", batch=5, options=("--stride", 23)
    )
    assert any((own[name] != other[name]).any() for name in own)


@pytest.mark.parametrize(
    ("stride", "problem"), [(65, "stride: expected 1 to 64"), (0, "a whole number from 1 up")]
)
def test_both_programs_refuse_a_stride_that_leaves_gaps(
    sliding, images, stride, problem, cpp_runner, mpm_deploy, tmp_path
):
    python = mpm_deploy("run", sliding, images, "-o", tmp_path / "p", "--stride", stride)
    cpp = cpp_runner("run", sliding, images, "--output", tmp_path / "c", "--stride", stride)
    assert python.returncode == cpp.returncode == (2 if stride == 0 else 1)
    assert problem in python.stderr and problem in cpp.stderr


def test_both_programs_refuse_a_stride_between_even_windows(
    sliding_evenly, images, cpp_runner, mpm_deploy, tmp_path
):
    python = mpm_deploy("run", sliding_evenly, images, "-o", tmp_path / "p", "--stride", 8)
    cpp = cpp_runner("run", sliding_evenly, images, "--output", tmp_path / "c", "--stride", 8)
    assert python.returncode == cpp.returncode == 1
    for answer in (python, cpp):
        assert "stride: expected none with fit 'slide_evenly', got 8" in answer.stderr


def test_both_programs_skip_what_is_too_narrow(sliding, cpp_runner, mpm_deploy, tmp_path):
    folder, wider = tmp_path / "images", tmp_path / "wider.pt"
    folder.mkdir()
    Image.fromarray(smooth(2, 40_000)).save(folder / "narrow.png")
    Image.fromarray(smooth(70, 90)).save(folder / "whole.png")
    with_manifest(sliding, wider, lambda manifest: manifest["input"].update(max_ratio=1000))
    python = mpm_deploy("run", wider, folder, "-o", tmp_path / "p")
    cpp = cpp_runner("run", wider, folder, "--output", tmp_path / "c")
    assert (python.returncode, cpp.returncode) == (3, 3), python.stderr + cpp.stderr
    said = [
        [line for line in answer.stderr.splitlines() if line.startswith("skipped ")]
        for answer in (python, cpp)
    ]
    assert said[0] == said[1] and len(said[0]) == 1
    assert "40000 x 2 pixels are too narrow to slide over" in said[0][0]

"""How label maps are held against each other."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench.agreement import compare, mean_iou
from mpm_deploy.datasets import open_dataset
from mpm_deploy.run.label_maps import write_label_map

PALETTES = [[(i, i, i) for i in range(256)], [(255 - i, 0, i) for i in range(256)]]


def write(folder: Path, maps: list[list[list[int]]], palette: int = 0) -> Path:
    folder.mkdir()
    for index, labels in enumerate(maps):
        array = np.array(labels, dtype=np.uint8)
        write_label_map(folder / f"{index}.png", array, PALETTES[palette])
    return folder


def test_shares_are_of_pixels_and_their_mean_of_images(tmp_path: Path) -> None:
    reference = write(tmp_path / "a", [[[0, 1], [2, 3]], [[149, 149]]])
    folder = write(tmp_path / "b", [[[0, 1], [2, 9]], [[149, 0]]])
    found = compare(folder, reference)
    assert found.equal_pixels == (0.75 + 0.5) / 2
    assert (found.images, found.equal_images, found.different) == (2, 0, ("0.png", "1.png"))


def test_classes_count_and_colors_do_not(tmp_path: Path) -> None:
    reference = write(tmp_path / "a", [[[0, 1], [2, 3]]])
    found = compare(write(tmp_path / "b", [[[0, 1], [2, 3]]], palette=1), reference)
    assert (found.equal_pixels, found.equal_images) == (1.0, 1)


def test_a_missing_label_map_is_an_error(tmp_path: Path) -> None:
    reference = write(tmp_path / "a", [[[0]], [[1]]])
    with pytest.raises(FileNotFoundError):
        compare(write(tmp_path / "b", [[[0]]]), reference)


def test_a_label_map_of_another_size_is_an_error(tmp_path: Path) -> None:
    reference = write(tmp_path / "a", [[[0, 1]]])
    with pytest.raises(ValueError, match="expected the size"):
        compare(write(tmp_path / "b", [[[0]]]), reference)


def test_accuracy_is_over_the_images_that_were_labelled(tmp_path: Path) -> None:
    root = tmp_path / "scenes"
    (root / "images").mkdir(parents=True)
    write(root / "labels", [[[0, 1], [1, 255]], [[0, 0]]])
    for name in ("0.jpg", "1.jpg"):
        (root / "images" / name).touch()
    (root / "classes.txt").write_text("sky\nroad\n")
    maps = write(tmp_path / "maps", [[[0, 1], [0, 0]]])
    # Of sky one pixel of two is right, of road one of two; the last pixel does not count.
    assert mean_iou(maps, open_dataset(str(root))) == 0.5

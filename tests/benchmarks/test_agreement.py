"""How label maps are held against each other."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.agreement import share_equal
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
    assert share_equal(folder, reference) == (0.75 + 0.5) / 2


def test_classes_count_and_colours_do_not(tmp_path: Path) -> None:
    reference = write(tmp_path / "a", [[[0, 1], [2, 3]]])
    assert share_equal(write(tmp_path / "b", [[[0, 1], [2, 3]]], palette=1), reference) == 1.0


def test_a_missing_label_map_is_an_error(tmp_path: Path) -> None:
    reference = write(tmp_path / "a", [[[0]], [[1]]])
    with pytest.raises(FileNotFoundError):
        share_equal(write(tmp_path / "b", [[[0]]]), reference)

"""Label maps as PNG files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.errors import InputError
from mpm_deploy.run.label_maps import label_map_names, write_label_map

PALETTE = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_names_replace_the_suffix() -> None:
    assert label_map_names([Path("x/a.jpg"), Path("x/b.PNG")]) == ["a.png", "b.png"]


def test_names_that_share_a_stem_stay_whole() -> None:
    images = [Path("a.jpg"), Path("a.png"), Path("b.jpg")]
    assert label_map_names(images) == ["a.jpg.png", "a.png.png", "b.png"]


@pytest.mark.parametrize(
    "images",
    [
        [Path("x/a.jpg"), Path("y/a.jpg")],
        [Path("a.jpg"), Path("a.png"), Path("a.jpg.png")],
    ],
)
def test_names_that_would_collide_are_an_error(images: list[Path]) -> None:
    with pytest.raises(InputError, match="expected names that differ"):
        label_map_names(images)


def test_written_labels_are_read_back_with_their_colors(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    write_label_map(tmp_path / "labels.png", labels, PALETTE)
    with Image.open(tmp_path / "labels.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), labels)
        assert np.array_equal(np.asarray(picture.convert("RGB")), np.array(PALETTE)[labels])


def test_more_than_256_classes_make_16_bits(tmp_path: Path) -> None:
    labels = np.array([[0, 299]], dtype=np.int16)
    write_label_map(tmp_path / "labels.png", labels, [(0, 0, 0)] * 300)
    with Image.open(tmp_path / "labels.png") as picture:
        assert np.array_equal(np.asarray(picture), labels)


def test_a_missing_folder_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write there"):
        write_label_map(tmp_path / "none" / "a.png", np.zeros((2, 2), np.uint8), PALETTE)
    assert list(tmp_path.iterdir()) == []

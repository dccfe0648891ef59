from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.errors import DatasetError
from mpm_deploy.show.gallery.truth import TrueLabels
from tests.datasets.made_up import write_label_file

PALETTE = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
IMAGES = [Path("photos/a.jpg"), Path("photos/b.png")]
TRUTH = np.array([[0, 2, 255], [1, 1, 0]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_label_file(tmp_path / "a.png", TRUTH)
    write_label_file(tmp_path / "b.png", TRUTH, "P")
    return tmp_path


def test_a_label_map_of_each_image(folder: Path) -> None:
    truth = TrueLabels(folder, IMAGES, PALETTE)
    for image in IMAGES:
        np.testing.assert_array_equal(truth.of(image, (2, 3)), TRUTH)


def test_a_missing_one_is_named_before_any_is_read(folder: Path) -> None:
    (folder / "b.png").unlink()
    with pytest.raises(DatasetError, match=r"b\.png: no such file, and so for 1 of 2 images"):
        TrueLabels(folder, IMAGES, PALETTE)


def test_one_of_another_image(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.png: .* its image, 4 × 6, got 2 × 3"):
        TrueLabels(folder, IMAGES, PALETTE).of(IMAGES[0], (4, 6))


def test_one_of_other_classes(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"b\.png: expected labels 0 to 1 or 255, got 2"):
        TrueLabels(folder, IMAGES, PALETTE[:2]).of(IMAGES[1], (2, 3))


def test_one_that_is_no_label_map(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"text")
    with pytest.raises(DatasetError, match=r"a\.png: expected a label map as PNG"):
        TrueLabels(folder, IMAGES, PALETTE).of(IMAGES[0], (2, 3))


def test_one_for_two_images(folder: Path) -> None:
    images = [Path("photos/a.jpg"), Path("photos/a.png")]
    with pytest.raises(DatasetError, match=r"a\.png: expected the label map of one sample"):
        TrueLabels(folder, images, PALETTE)


def test_one_in_the_artifacts_colors(folder: Path) -> None:
    painted = np.array(PALETTE, np.uint8)[np.where(TRUTH == 255, 0, TRUTH)]
    Image.fromarray(painted).save(folder / "a.png")
    with pytest.raises(DatasetError, match="its pixels are colors") as caught:
        TrueLabels(folder, IMAGES, PALETTE).of(IMAGES[0], (2, 3))
    assert caught.value.hint is not None and "the artifact's own" in caught.value.hint

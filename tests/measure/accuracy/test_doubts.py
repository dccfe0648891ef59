"""What is said of a data set that is likely to hold a mistake."""

from types import SimpleNamespace

import numpy as np

from mpm_deploy.measure.accuracy.doubts import doubts_of
from mpm_deploy.measure.accuracy.tally import CountedSample, ImageCounts, Tally

NAMES = ("sky", "tree", "road")
DATASET = SimpleNamespace(name="folder", classes=NAMES)
EVERY = (4, 3, 2)


def doubts(*images: tuple[CountedSample, tuple[int, ...]]) -> tuple[str, ...]:
    tally = Tally(3)
    for sample, pixels in images:
        tally.add(ImageCounts.of(sample, np.diag(pixels), np.zeros((3, 4), np.int64)))
    return doubts_of(NAMES, DATASET, tally)  # type: ignore[arg-type]


def seen(
    id: str,
    pixels: tuple[int, ...] = EVERY,
    ignored: int = 0,
    orientation: int = 1,
    image: str = "",
) -> tuple[CountedSample, tuple[int, ...]]:
    size = sum(pixels) + ignored
    return CountedSample(id, image or id, "labels", orientation, size, ignored, ()), pixels


def test_nothing_to_doubt() -> None:
    assert doubts(seen("a", ignored=1), seen("b")) == ()
    assert doubts(seen("a", (4, 3, 0))) == ()  # a class that never occurs is fine


def test_label_maps_of_one_class() -> None:
    assert doubts(seen("a", (0, 9, 0))) == ("the label maps hold no class but 1 (tree)",)
    (doubt,) = doubts(seen("a", (9, 0, 0), ignored=1000), seen("b", (9, 0, 0), ignored=500))
    assert doubt.startswith("the label maps hold no class but 0 (sky); 1,500 pixels of 255 do not")


def test_label_maps_in_which_nothing_counts() -> None:
    expected = "no pixel counts in the label maps of b, and so for 1 of 2 images"
    assert doubts(seen("a"), seen("b", (0, 0, 0), ignored=9)) == (expected,)


def test_images_that_are_turned() -> None:
    (doubt,) = doubts(seen("a"), seen("b", orientation=3), seen("c", orientation=2))
    assert doubt.startswith("EXIF orientation 3 turns b, and so for 2 of 3 images")


def test_an_image_of_two_names() -> None:
    (doubt,) = doubts(seen("a", image="1"), seen("b", image="1"), seen("c"))
    assert "counts again as b, and so for 1 of 3 images" in doubt


def test_classes_of_other_names() -> None:
    tally = Tally(3)
    sample, pixels = seen("a")
    tally.add(ImageCounts.of(sample, np.diag(pixels), np.zeros((3, 4), np.int64)))
    (doubt,) = doubts_of(("sky", "plant", "road"), DATASET, tally)  # type: ignore[arg-type]
    assert "1 is 'plant' there and 'tree' here" in doubt

"""Sums up what an evaluation counts, image by image.

confusion counts (K, K) ─┐                        ┌─▶ a line of the state file
boundary counts (K, 4)  ─┼─▶ ImageCounts, sparse ─┤
the files, by content   ─┘                        └─▶ Tally, the sums
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.datasets.confusion import Counts
from mpm_deploy.measure.accuracy.boundary import BoundaryCounts, no_boundaries


@dataclass(frozen=True)
class CountedSample:
    """A sample that is counted, told by what its files hold.

    Attributes:
        id: The sample's id.
        image: SHA-256 of the image file.
        labels: SHA-256 of the label file.
        orientation: The EXIF orientation by which the image was turned, where the sizes do not
            tell whether its label map is turned too; 1 otherwise.
        pixels: All pixels.
        ignored: Those that do not count.
        tokens_kept: Tokens left after each merge.
    """

    id: str
    image: str
    labels: str
    orientation: int
    pixels: int
    ignored: int
    tokens_kept: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """The counts of one image, without the zeros.

    Attributes:
        sample: The sample that was counted.
        confusion: ``(rows, 3)`` int64: true class, predicted class, pixels.
        boundaries: ``(rows, 5)`` int64: class, and its four boundary counts.
    """

    sample: CountedSample
    confusion: NDArray[np.int64]
    boundaries: NDArray[np.int64]

    @classmethod
    def of(cls, sample: CountedSample, counts: Counts, boundaries: BoundaryCounts) -> "ImageCounts":
        """Leave out the zeros of counts ``(K, K)`` and boundary counts ``(K, 4)``."""
        true, predicted = np.nonzero(counts)
        (classes,) = np.nonzero(boundaries.any(axis=1))
        return cls(
            sample,
            np.column_stack((true, predicted, counts[true, predicted])),
            np.column_stack((classes, boundaries[classes])),
        )


class Tally:
    """The sums over the images that are counted.

    Args:
        classes: The number of classes.

    Attributes:
        counts: Confusion counts ``(K, K)``.
        boundaries: Boundary counts ``(K, 4)``.
        samples: The samples in the sums, by their ids.
    """

    def __init__(self, classes: int) -> None:
        self.counts: Counts = np.zeros((classes, classes), np.int64)
        self.boundaries: BoundaryCounts = no_boundaries(classes)
        self.samples: dict[str, CountedSample] = {}

    def add(self, image: ImageCounts) -> None:
        """Add the counts of one image."""
        true, predicted, pixels = image.confusion.T
        self.counts[true, predicted] += pixels
        self.boundaries[image.boundaries[:, 0]] += image.boundaries[:, 1:]
        self.samples[image.sample.id] = image.sample

"""Measures how far two folders of label maps agree, and how accurate one is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mpm_deploy.datasets import Dataset
from mpm_deploy.datasets.confusion import class_iou, confusion, mean_of_known

_NAMED = 5  # of the label maps that differ


@dataclass(frozen=True)
class Agreement:
    """How far label maps agree with others of the same images.

    Attributes:
        images: The number of different images.
        equal_images: The number of images with every pixel alike.
        equal_pixels: Share of the pixels of an image that are alike, mean over the images.
        different: The names of some that differ.
    """

    images: int
    equal_images: int
    equal_pixels: float
    different: tuple[str, ...] = ()


def compare(folder: Path, reference: Path) -> Agreement:
    """Compare the label maps in a folder with those in ``reference``, all of them.

    Raises:
        FileNotFoundError: One of the reference's is missing.
        ValueError: One has another size.
    """
    shares = {path.name: _equal(folder / path.name, path) for path in sorted(reference.iterdir())}
    unlike = [name for name, share in shares.items() if share < 1]
    mean = float(np.mean([*shares.values()]))
    return Agreement(len(shares), len(shares) - len(unlike), mean, tuple(unlike[:_NAMED]))


def mean_iou(folder: Path, dataset: Dataset) -> float:
    """Return the mIoU over those samples of a data set whose label maps lie in a folder."""
    classes = len(dataset.classes)
    counts = np.zeros((classes, classes), np.int64)
    for sample in dataset:
        path = folder / f"{sample.image.stem}.png"
        if path.exists():
            counts += confusion(dataset.labels(sample), read_labels(path), classes)
    return mean_of_known(class_iou(counts))


def read_labels(path: Path) -> NDArray[np.integer]:
    """Read the ``(height, width)`` class indices of a palette or gray PNG."""
    with Image.open(path) as picture:
        return np.array(picture)


def _equal(path: Path, reference: Path) -> float:
    ours, theirs = read_labels(path), read_labels(reference)
    if ours.shape != theirs.shape:
        raise ValueError(f"{path}: expected the size {theirs.shape}, got {ours.shape}")
    return float((ours == theirs).mean())

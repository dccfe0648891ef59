"""Counts pixels by true and predicted class, and computes IoU and accuracy from the counts.

Counts are ``(K, K)`` int64: pixels by true class (rows) and predicted class (columns). Those of a
data set are the sum over its images, so that an image weighs as much as its pixels: the figures are
those of mmsegmentation 0.14 (``mean_iou``, with ``ignore_index`` 255).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
PerClass = NDArray[np.float64]


def confusion(
    truth: NDArray[np.integer[Any]],
    predicted: NDArray[np.integer[Any]],
    classes: int,
    ignored: int = 255,
) -> Counts:
    """Count the pixels of one image.

    Args:
        truth: ``(height, width)``, classes from 0 up to ``classes``, or ``ignored``.
        predicted: ``(height, width)``, classes from 0 up to ``classes``.
        classes: The number of classes.
        ignored: Marks pixels that do not count.
    """
    counted = truth != ignored
    pairs = truth[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_iou(counts: Counts) -> PerClass:
    """Return the intersection over union of each class ``(K,)``; NaN for a class that occurs in
    neither map.
    """
    hit = counts.diagonal()
    return _shares(hit, counts.sum(axis=0) + counts.sum(axis=1) - hit)


def class_accuracy(counts: Counts) -> PerClass:
    """Return the share of each class's pixels that are labeled right ``(K,)``; NaN
    where it has none.
    """
    return _shares(counts.diagonal(), counts.sum(axis=1))


def pixel_accuracy(counts: Counts) -> float:
    """Return the share of all pixels that are labeled right; NaN where no pixel counts."""
    total = int(counts.sum())
    return int(counts.trace()) / total if total else float("nan")


def mean_of_known(values: PerClass) -> float:
    """Return the mean over the classes that have a value; NaN where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _shares(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> PerClass:
    shares = np.full(wholes.shape, np.nan)
    np.divide(parts, wholes, out=shares, where=wholes > 0)
    return shares

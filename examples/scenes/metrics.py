"""Intersection over union from confusion matrices (K, K): rows are truth, columns prediction."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> Matrix:
    """Counts of (true class, predicted class) over all pixels of two label maps of one shape."""
    pairs = truth.astype(np.int64).ravel() * classes + predicted.ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_iou(matrix: Matrix) -> NDArray[np.float64]:
    """Intersection over union of each class (K,); NaN for a class in neither map."""
    hit = np.diag(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hit
    return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)


def mean_iou(matrix: Matrix) -> float:
    """The mean of the classes' intersection over union."""
    return float(np.nanmean(class_iou(matrix)))

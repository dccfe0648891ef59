"""Finds objects: regions of one class in a label map, connected over the four neighbors
of a pixel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]
Indices = NDArray[np.intp]


def object_sizes(labels: Labels) -> Indices:
    """Return, for each pixel, the number of pixels of the object that it belongs to.

    Rows fall into runs of one class; runs that touch over two rows are joined:

        classes     runs        objects     sizes
        0 0 1 1     0 0 1 1     0 0 1 1     6 6 2 2
        0 2 2 2     2 3 3 3     0 3 3 3     6 4 4 4
        0 0 0 2     4 4 4 5     0 0 0 3     6 6 6 4

    Args:
        labels: ``(height, width)`` class indices.

    Returns:
        ``(height, width)``.
    """
    begins = np.ones(labels.shape, bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    runs = np.cumsum(begins).reshape(labels.shape) - 1
    touching = labels[1:] == labels[:-1]
    objects = _joined(int(runs[-1, -1]) + 1, runs[:-1][touching], runs[1:][touching])[runs]
    sizes: Indices = np.bincount(objects.ravel())[objects]
    return sizes


def _joined(count: int, ones: Indices, others: Indices) -> Indices:
    """Return, for each of ``count`` runs, the lowest number among all that it is joined with
    ``(count,)``.

    Args:
        count: The number of runs.
        ones: ``(joints,)``.
        others: ``(joints,)``: what each of these is joined with.
    """
    root = np.arange(count)
    while True:
        low, high = np.minimum(root[ones], root[others]), np.maximum(root[ones], root[others])
        apart = low != high
        if not apart.any():
            return root
        np.minimum.at(root, high[apart], low[apart])
        while (root != root[root]).any():
            root = root[root]

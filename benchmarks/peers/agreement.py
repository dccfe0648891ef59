"""Measures how far two folders of label maps agree."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def share_equal(folder: Path, reference: Path) -> float:
    """Return the share of pixels with equal labels, over all images of ``reference``."""
    shares = [
        float((read_labels(folder / path.name) == read_labels(path)).mean())
        for path in sorted(reference.iterdir())
    ]
    return float(np.mean(shares))


def read_labels(path: Path) -> NDArray[np.integer]:
    """Read the ``(height, width)`` class indices of a palette or gray PNG."""
    with Image.open(path) as picture:
        return np.array(picture)

"""Label maps laid over their images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def overlay(
    image: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    palette: Sequence[tuple[int, int, int]],
) -> NDArray[np.uint8]:
    """Mix an image half and half with the colours of its classes.

    Args:
        image: ``(height, width, 3)`` uint8.
        labels: ``(height, width)`` class indices.
        palette: Red, green, blue of each class, 0 to 255.

    Returns:
        ``(height, width, 3)`` uint8.
    """
    colors = np.asarray(palette, dtype=np.uint16)[labels]  # (height, width, 3)
    mixed: NDArray[np.uint8] = ((image + colors) // 2).astype(np.uint8)
    return mixed

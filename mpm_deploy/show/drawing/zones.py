"""Colors the pixels of an image by the zone they lie in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.show.drawing.labels import pale

Image = NDArray[np.uint8]


def zone_picture(
    image: Image,
    zones: NDArray[np.integer[Any]],
    colors: Sequence[tuple[int, int, int]],
    strength: float = 1.0,
) -> Image:
    """Color the pixels of some zones on a pale gray image.

    Args:
        image: ``(height, width, 3)`` uint8.
        zones: ``(height, width)``: an index into the colors; below 0 for a pixel left gray.
        colors: Red, green, blue of each zone, 0 to 255.
        strength: How much the colors cover the image, 0 to 1.

    Returns:
        ``(height, width, 3)`` uint8.
    """
    gray = pale(image)
    over = (1 - strength) * gray + strength * np.asarray(colors)[zones]
    picture: Image = np.where(zones[..., None] >= 0, over, gray).astype(np.uint8)
    return picture

"""Define what every format gives, and the limits it keeps."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from mpm_deploy.errors import ImageError

MAX_PIXELS = 100_000_000
ENDS_EARLY = "the file ends early"
BROKEN = "broken image data"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Raster:
    """Pixels as the file stores them.

    Attributes:
        pixels: ``(height, width, 3)`` uint8, RGB.
        orientation: The EXIF orientation, 1 to 8, still to be applied.
    """

    pixels: Pixels
    orientation: int


def check_size(width: int, height: int) -> None:
    """Refuse an empty or huge image by its header.

    Raises:
        ImageError: Nothing in it, or more than `MAX_PIXELS` pixels.
    """
    if width == 0 or height == 0:
        raise ImageError(f"the header says {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{width} x {height} pixels, more than the {MAX_PIXELS:,} that are decoded",
            "scale the image down first",
        )


def load_samples(plugin: type[ImageFile.ImageFile], data: bytes) -> NDArray[Any]:
    """Decode with one plugin of Pillow's: ``(height, width)`` or ``(height, width, channels)``.

    Raises:
        ImageError: The data ends early or is broken.
    """
    try:
        return np.array(plugin(BytesIO(data)))
    except (OSError, SyntaxError, ValueError) as error:
        cut_off = "truncated" in str(error)
        raise ImageError(ENDS_EARLY if cut_off else BROKEN) from error


def gray_to_rgb(gray: Pixels) -> Pixels:
    """Turn ``(height, width)`` into ``(height, width, 3)``, all channels equal."""
    return np.repeat(gray[:, :, None], 3, axis=2)

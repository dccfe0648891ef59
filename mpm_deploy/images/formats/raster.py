"""Define what every format gives, and the limits it keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from mpm_deploy.errors import ImageError

MAX_PIXELS = 128_000_000  # cameras of 100 megapixels give up to 102 million
ENDS_EARLY = "the file ends early"
BROKEN = "broken image data"

_BAND = 1 << 16  # pixels that are taken out of Pillow at once: a cache holds them

Pixels = NDArray[np.uint8]
Samples = NDArray[Any]
# Asked for its width and height before an image is decoded: refuses it by an ImageError, and may
# wait until there is memory for it.
Admit = Callable[[int, int], None]


@dataclass(frozen=True)
class Raster:
    """Pixels as the file stores them.

    Attributes:
        pixels: ``(height, width, 3)`` uint8, RGB.
        orientation: The EXIF orientation, 1 to 8, still to be applied.
    """

    pixels: Pixels
    orientation: int


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse an empty or huge image by its header.

    Raises:
        ImageError: Nothing in it, or more than ``max_pixels`` pixels.
    """
    if width == 0 or height == 0:
        raise ImageError(f"the header says {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} pixels, more than the {max_pixels:,} that are decoded",
            "scale the image down first, or raise max_pixels",
        )


def load_samples(
    plugin: type[ImageFile.ImageFile],
    file: Any,
    convert: Callable[[Samples], Samples] = lambda samples: samples,
) -> Samples:
    """Decode with one plugin of Pillow's.

    Args:
        plugin: The format's.
        file: The file, open for reading.
        convert: What to make of rows that Pillow gives, ``(rows, width)`` or
            ``(rows, width, channels)``: few at a time, so that a large image is in memory twice
            and not four times.

    Returns:
        What ``convert`` made of all rows.

    Raises:
        ImageError: The data ends early or is broken.
    """
    try:
        image = plugin(file)
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        cut_off = "truncated" in str(error)
        raise ImageError(ENDS_EARLY if cut_off else BROKEN) from error
    width, height = image.size
    rows = max(1, _BAND // width)
    if rows >= height:
        return convert(np.asarray(image))
    bands = (
        convert(np.asarray(image.crop((0, top, width, min(top + rows, height)))))
        for top in range(0, height, rows)
    )
    first = next(bands)
    whole = np.empty((height, *first.shape[1:]), first.dtype)
    whole[:rows] = first
    for index, band in enumerate(bands, start=1):
        whole[index * rows : index * rows + len(band)] = band
    return whole


def gray_to_rgb(gray: Pixels) -> Pixels:
    """Turn ``(height, width)`` into ``(height, width, 3)``, all channels equal."""
    return np.repeat(gray[:, :, None], 3, axis=2)

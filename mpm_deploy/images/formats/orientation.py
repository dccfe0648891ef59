"""Turn pictures as their EXIF orientation asks."""

import numpy as np

from mpm_deploy.images.formats.raster import Pixels, Raster

# What EXIF orientation n asks for: transpose, then flip rows, then flip columns.
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def turn_upright(raster: Raster) -> Pixels:
    """Apply the orientation, and return ``(height, width, 3)``, contiguous."""
    pixels = raster.pixels
    transpose, flip_rows, flip_columns = _TURNS[raster.orientation]
    if transpose:
        pixels = pixels.transpose(1, 0, 2)
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    if raster.orientation == 1 and pixels.flags.c_contiguous and pixels.flags.writeable:
        return pixels
    return np.array(pixels, order="C")  # of one pixel, ascontiguousarray keeps negative strides

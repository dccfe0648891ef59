"""Decode image files: one member for each format turns the file's bytes into pixels.

A member has ``MAGIC``, the bytes its files start with, and ``read(data) -> Raster``. It looks at
the header first, refuses there what must not be decoded, and hands Pillow only the parts that the
pixels come from: no metadata, harmless or hostile, reaches it.
"""

from mpm_deploy.images.formats import jpeg, png
from mpm_deploy.images.formats.raster import BROKEN, MAX_PIXELS, Raster

FORMATS = (jpeg, png)

__all__ = ["BROKEN", "FORMATS", "MAX_PIXELS", "Raster", "jpeg", "png"]

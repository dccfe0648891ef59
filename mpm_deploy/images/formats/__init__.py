"""Decode image files: one member for each format turns the file's bytes into pixels.

A member of `families.IMAGE_FORMATS` is a module with ``MAGIC``, the bytes its files start with,
``SUFFIXES``, what their names end in, ``read(data, admit) -> Raster``, and
``orientation(data) -> int``, which tells the Raster's orientation alone. It looks at the header
first, refuses there what must not be decoded, and asks ``admit`` for its width and height. It hands
Pillow only the parts that the pixels come from: no metadata, harmless or hostile, reaches it.
"""

from mpm_deploy.images.formats.raster import BROKEN, MAX_PIXELS, Raster

__all__ = ["BROKEN", "MAX_PIXELS", "Raster"]

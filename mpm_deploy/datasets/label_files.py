"""Reads the label files of a data set; what is wrong with one is said with its cure."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.errors import DatasetError, ImageError
from mpm_deploy.images.decode import decode, orientation_of
from mpm_deploy.images.formats import png
from mpm_deploy.support.refusal import refusal

IGNORED = 255  # of a pixel that does not count

Numbers = NDArray[np.integer[Any]]
Color = tuple[int, int, int]
Size = tuple[int, ...]  # height, width

_LISTED = 3  # of the numbers that mean nothing
_SPREAD = 257  # times a number of 8 bits is the same share of 16 bits


def read_numbers(path: Path, palette: Sequence[Color] = ()) -> Numbers:
    """Read the numbers in a label file, ``(height, width)``.

    Args:
        path: A PNG, gray or indexed.
        palette: The colors of an artifact's classes, to know a file that is painted with them.

    Raises:
        DatasetError: The file is no label map.
    """
    data = read_file(path)
    try:
        return png.read_numbers(data)
    except ImageError as error:
        problem = f"{path}: expected a label map as PNG: {error.problem}"
        raise DatasetError(problem, _cure(data, palette)) from error


def read_file(path: Path) -> bytes:
    """Read a file of a data set.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise refusal(DatasetError, f"{path}: cannot be read", error) from error


def content_of(data: bytes) -> str:
    """Return the SHA-256 of what a file holds."""
    return hashlib.sha256(data).hexdigest()


def check_numbers(path: Path, numbers: Numbers, count: int, whose: str, cure: str) -> None:
    """Check that a label file holds only the numbers from 0 up to ``count``, and `IGNORED`.

    Args:
        path: The file.
        numbers: What it holds.
        count: How many numbers mean something.
        whose: Words that say in whose label map.
        cure: The hint, where the numbers themselves tell nothing better.

    Raises:
        DatasetError: It holds others.
    """
    foreign = numbers[(numbers >= count) & (numbers != IGNORED)]
    if not foreign.size:
        return
    values, pixels = (each.tolist() for each in np.unique(foreign, return_counts=True))
    got = [f"{value} ({n:,} pixels)" for value, n in zip(values, pixels, strict=True)][:_LISTED]
    if len(values) > _LISTED:
        got.append(f"and {len(values) - _LISTED} more numbers")
    raise DatasetError(
        f"{path}: expected labels 0 to {count - 1} or {IGNORED}{whose}, got {', '.join(got)}",
        _cure_of_numbers(numbers, count) or cure,
    )


def check_size(path: Path, size: Size, image: Path, image_size: Size) -> None:
    """Check that a label map is as large as its image.

    Args:
        path: The label file.
        size: Its size.
        image: The image's file.
        image_size: The image's size, its EXIF orientation applied.

    Raises:
        DatasetError: It is not; where either is turned, it says which.
    """
    if size == image_size:
        return
    raise DatasetError(
        f"{path}: expected the size of its image, {_shown(image_size)}, got {_shown(size)}",
        _cure_of_size(image, turned=size == image_size[::-1]),
    )


def _cure(data: bytes, palette: Sequence[Color]) -> str:
    """Say what to do with a file that is no label map."""
    try:
        pixels = decode(data).numpy()
    except ImageError:
        return "copy this file again"
    if not data.startswith(png.MAGIC):
        return "save it anew as PNG, from what it was drawn in: JPEG does not keep numbers"
    red, green, blue = pixels.astype(np.int32)
    if (red == green).all() and (green == blue).all():
        return "its channels are equal, so keep one: Image.open(FILE).getchannel(0).save(FILE)"
    colors = np.unique(red << 16 | green << 8 | blue).tolist()
    if {(color >> 16, color >> 8 & 255, color & 255) for color in colors} <= set(palette):
        return (
            "its colors are the artifact's own: put the number of its class in place of each, in "
            "the order of model.palette in mpm-deploy inspect ARTIFACT --json "
            "(docs/guides/accuracy.md shows how)"
        )
    return "put the number of its class in place of each color (docs/guides/accuracy.md shows how)"


def _cure_of_numbers(numbers: Numbers, count: int) -> str | None:
    """Say what to do with numbers that are a known distance off; None where they are not."""
    if not (numbers.astype(np.int64) % _SPREAD).any():
        return f"numbers of 8 bits were spread over 16: divide them by {_SPREAD}"
    counted = numbers[numbers != IGNORED]
    if counted.min() == 1 and counted.max() == count:
        return "its numbers seem to begin at 1: classes are numbered from 0 up"
    return None


def _cure_of_size(image: Path, turned: bool) -> str:
    """Say what to do with a label map of another size; ``turned`` if it lies across its image."""
    if not turned:
        return (
            "a label map has its image's own size: this one is scaled, or belongs to another image"
        )
    orientation = orientation_of(read_file(image))
    if orientation < 5:  # these keep an image's size
        return (
            "one of them is turned, and the image has no EXIF orientation that says so: turn the "
            "one that is wrong"
        )
    return (
        f"the image is turned upright by its EXIF orientation {orientation}, and its label map is "
        "not: turn the label map too; or, if it was drawn so, take the orientation out of the "
        "image: exiftool -Orientation= FILE"
    )


def _shown(size: Size) -> str:
    return " × ".join(map(str, size))

"""Draws label maps over their images, and compares them with one another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.errors import InputError

Image = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]

DIFFERENT = (235, 40, 90)  # of no class of the common palettes


def overlay(image: Image, labels: Labels, palette: Sequence[tuple[int, int, int]]) -> Image:
    """Mix an image half and half with the colors of its classes.

    Args:
        image: ``(height, width, 3)`` uint8.
        labels: ``(height, width)`` class indices.
        palette: Red, green, blue of each class, 0 to 255.

    Returns:
        ``(height, width, 3)`` uint8.
    """
    colors = np.asarray(palette, dtype=np.uint16)[labels]  # (height, width, 3)
    mixed: Image = ((image + colors) // 2).astype(np.uint8)
    return mixed


def difference(image: Image, labels: Labels, others: Labels) -> Image:
    """Mark the pixels to which two label maps give different classes, on a pale gray image.

    Args:
        image: ``(height, width, 3)`` uint8.
        labels: ``(height, width)`` class indices.
        others: Class indices from another model, of the same shape.

    Returns:
        ``(height, width, 3)`` uint8.

    Raises:
        InputError: The label maps are of different sizes.
    """
    _check_same_size(labels, others)
    color = np.array(DIFFERENT, np.uint8)
    marked: Image = np.where((labels != others)[..., None], color, pale(image))
    return marked


def pale(image: Image) -> Image:
    """Return an image ``(height, width, 3)`` in light grays, for colors to stand out on."""
    gray = image.mean(axis=2, keepdims=True)  # (height, width, 1)
    return np.broadcast_to((96 + gray * 0.6).astype(np.uint8), image.shape)


def share_equal(labels: Labels, others: Labels) -> float:
    """Return the share of pixels, 0 to 1, to which two label maps ``(height, width)``
    give the same class.

    Raises:
        InputError: The label maps are of different sizes.
    """
    _check_same_size(labels, others)
    return float((labels == others).mean())


def _check_same_size(labels: Labels, others: Labels) -> None:
    if labels.shape != others.shape:
        raise InputError(
            f"label maps: expected two of one size, got {labels.shape} and {others.shape}",
            "compare artifacts on the same image",
        )

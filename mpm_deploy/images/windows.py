"""Lay windows on an image that is larger than the model's input.

    0        s        2s    right edge       a stride apart: windows at 0, s, 2s, ... and one flush
    |--------+--------|                      with the far edge, in both axes
             |--------+--------|
                            |--------|

    0     1/2 of the way    right edge       evenly: as few windows as cover the axis, the last one
    |-----------|                            flush with the far edge
             |-----------|
                      |-----------|

Where two lie on a pixel, the mean of their scores counts. A stride apart they lie as in the
evaluation of Segmenter (Strudel et al., ICCV 2021), evenly as in that of EoMT (Kerssies et al.,
CVPR 2025). All is computed in whole numbers, so that Python and C++ cannot round apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

Size = tuple[int, int]  # (height, width) in pixels

# Of a scaled image's sides, and of its long side over its short one: what both languages and the
# label map's kernel can count in.
LARGEST_SIDE, LARGEST_RATIO = 1 << 20, 1000


@dataclass(frozen=True)
class WindowGrid:
    """The windows of one image: at every top with every left, row by row.

    Attributes:
        size: Size of the image, which is no smaller than a window.
        window: Size of each window.
        tops: First rows of the windows, ascending from 0.
        lefts: First columns, likewise.
    """

    size: Size
    window: Size
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def corners(self) -> Iterator[tuple[int, int]]:
        """Return the top and left of each window, in the windows' order."""
        return product(self.tops, self.lefts)


def lay_windows(size: Size, window: Size, stride: int) -> WindowGrid:
    """Cover an image with windows.

    Args:
        size: Size of the image, no smaller than a window.
        window: Size of a window.
        stride: Pixels from one window to the next in both axes, at most a window's shorter side.
    """
    tops, lefts = (_starts(*sides, stride) for sides in zip(size, window, strict=True))
    return WindowGrid(size, window, tops, lefts)


def lay_windows_evenly(size: Size, window: Size) -> WindowGrid:
    """Cover an image, no smaller than a window, with as few windows as it takes along each axis."""
    tops, lefts = (_even_starts(*sides) for sides in zip(size, window, strict=True))
    return WindowGrid(size, window, tops, lefts)


def scaled_size(size: Size, short_side: int, max_ratio: float) -> Size:
    """Scale a size until its short side is ``short_side``, or its long side at its most.

    Args:
        size: Size of the image.
        short_side: Pixels of the short side to come.
        max_ratio: The long side is at most ``short_side * max_ratio``, cut to a whole number.

    Returns:
        Both sides rounded, halves up.
    """
    most = int(short_side * max_ratio)
    scale = min(Fraction(short_side, min(size)), Fraction(most, max(size)))
    return _scaled(size[0], scale), _scaled(size[1], scale)


def size_for_windows(size: Size, window: Size) -> Size:
    """Scale a size up until a window fits in both axes; one that is large enough stays."""
    is_large = size[0] >= window[0] and size[1] >= window[1]
    return size if is_large else size_of_windows(size, window)


def size_of_windows(size: Size, window: Size) -> Size:
    """Scale a size until a window fits in both axes, and exactly in one; sides are cut."""
    scale = max(Fraction(window[0], size[0]), Fraction(window[1], size[1]))
    return int(size[0] * scale), int(size[1] * scale)


def _starts(side: int, window: int, stride: int) -> tuple[int, ...]:
    return (*range(0, side - window, stride), side - window)


def _even_starts(side: int, window: int) -> tuple[int, ...]:
    steps = -(-side // window) - 1  # between as few windows as cover the side
    return (*(step * (side - window) // steps for step in range(steps)), side - window)


def _scaled(side: int, scale: Fraction) -> int:
    return max(1, int(side * scale + Fraction(1, 2)))

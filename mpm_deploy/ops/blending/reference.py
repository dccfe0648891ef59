"""Make a grid twice as fine, of cells that hold four places each: the truth."""

from torch import Tensor
from torch.nn import functional


def blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Lay out the four places of each cell, and blend every place with its neighbors.

    ::

        cells (B, h, w, 4 C)          places (B, 2 h, 2 w, C)

        [a b c d] [e f g h]   ─▶      a b e f
                                      c d g h   ─▶ each channel's own 3 × 3 convolution

    Args:
        cells: ``(B, h, w, 4 C)``, upper left to lower right.
        weight: Of the depthwise convolution, ``(C, 1, 3, 3)``; around the grid are zeros.

    Returns:
        ``(B, 2 h, 2 w, C)``.
    """
    channels_first = laid_out(cells).permute(0, 3, 1, 2)
    blended = functional.conv2d(channels_first, weight, padding=1, groups=weight.shape[0])
    return blended.permute(0, 2, 3, 1)


def laid_out(cells: Tensor) -> Tensor:
    """Lay out the places of cells: ``(B, h, w, 4 C)`` -> ``(B, 2 h, 2 w, C)``."""
    images, down, across, width = cells.shape
    places = cells.reshape(images, down, across, 2, 2, width // 4).transpose(2, 3)
    return places.reshape(images, 2 * down, 2 * across, width // 4)

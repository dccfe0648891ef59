"""Turn the class scores of windows into a label for every pixel of their image: the truth.

`native.window_label_map` is the one in C++, equal to the bit: the steps are those below, in that
order, in float32, and no product is fused with the sum around it.
"""

import torch
from torch import Tensor

from mpm_deploy.images.windows import Size, WindowGrid
from mpm_deploy.ops.label_map.reference import samples

_ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 27}  # of the scores that are worked on at once


def window_label_map(scores: Tensor, grid: WindowGrid, size: tuple[int, int]) -> Tensor:
    """Average the windows' scores at the pixels of their image, resize, take the best class.

    ::

        scores ─▶ pixels of each window ─▶ mean where windows overlap ─▶ label map's size ─▶ best

    Some classes at a time, so that it takes memory for pixels, not for pixels times classes.

    Args:
        scores: ``(windows, K, h, w)`` floating point, finite and below 2^100, in the grid's order.
        grid: Where the windows lie.
        size: ``(height, width)`` of the label map; sampling as with ``align_corners=False``.

    Returns:
        ``(height, width)``, uint8, or int16 where ``K > 256``; the lowest class where two are
        equal.
    """
    classes = scores.shape[1]
    some = _classes_at_once(scores.device, grid.size, size)
    best = torch.full(size, -torch.inf, device=scores.device)
    labels = torch.zeros(size, dtype=torch.int64, device=scores.device)
    for first in range(0, classes, some):
        means = _average(scores[:, first : first + some].float(), grid)
        value, label = _resize(means, size).max(dim=0)
        better = value > best
        best = torch.where(better, value, best)
        labels = torch.where(better, first + label, labels)
    return labels.to(torch.uint8 if classes <= 256 else torch.int16)


def window_means(scores: Tensor, grid: WindowGrid) -> Tensor:
    """Average the windows' scores at the pixels of their image: what `window_label_map` resizes.

    Args:
        scores: ``(windows, K, h, w)`` floating point, in the grid's order.
        grid: Where the windows lie.

    Returns:
        ``(K, *grid.size)`` float32.
    """
    means = torch.empty(scores.shape[1], *grid.size, device=scores.device)
    some = _classes_at_once(scores.device, grid.size)
    for part, into in zip(scores.split(some, dim=1), means.split(some), strict=True):
        into.copy_(_average(part.float(), grid))
    return means


def _classes_at_once(device: torch.device, *sizes: Size) -> int:
    """Tell how many classes are worked on at once, at the largest of these sizes."""
    return max(1, _ELEMENTS[device.type] // max(height * width for height, width in sizes))


def _average(scores: Tensor, grid: WindowGrid) -> Tensor:
    """Average scores ``(windows, C, h, w)`` at the pixels of the image, ``(C, *grid.size)``."""
    height, width = grid.window
    sums = scores.new_zeros(scores.shape[1], *grid.size)
    windows = scores.new_zeros(grid.size)  # on each pixel
    for (top, left), of_window in zip(grid.corners(), scores, strict=True):
        rows, columns = slice(top, top + height), slice(left, left + width)
        sums[:, rows, columns] += _resize(of_window, grid.window)
        windows[rows, columns] += 1
    return sums.div_(windows)


def _resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly, rows before columns: ``(C, h, w)`` to ``(C, *size)``."""
    top, bottom, down = samples(values.shape[1], size[0], values.device)
    left, right, across = samples(values.shape[2], size[1], values.device)
    down = down[:, None]
    rows = values[:, top] * (1 - down) + values[:, bottom] * down  # (C, height, w)
    return rows[:, :, left] * (1 - across) + rows[:, :, right] * across

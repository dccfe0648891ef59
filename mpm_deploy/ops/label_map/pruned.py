"""Make label maps in plain torch, from the few classes that can win a pixel.

It is for TorchScript artifacts, which also run where there is no native library. The pixels between
four coarse samples form a cell. Nowhere in it is a class above its highest corner or below its
lowest one, so a class whose highest corner is below some other's lowest one wins no pixel there: on
a model's scores nine classes in ten are out.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.label_map.reference import samples


def label_map(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Make label maps like `mpm_deploy.ops.label_map.label_map`, on a CPU equal to the bit.

    It works in bands of pixel rows, and beside scores and labels takes about 2 MB, or 48 bytes
    for each pixel of a row and each class of a row of cells where those are more. A GPU, which many
    small steps would only slow down, interpolates all classes as aten does: its products are fused
    with the sums, so two classes that are equal but for rounding may change places.

    Args:
        scores: ``(B, K, h, w)`` floating point, finite and below 2^127.
        size: ``(height, width)`` of the label maps.

    Returns:
        ``(B, height, width)``, uint8, or int16 where ``K > 256``.
    """
    dtype = torch.uint8 if scores.shape[1] <= 256 else torch.int16
    if scores.is_cuda:
        return _best_of_all(scores, size).to(dtype)
    shape = [scores.shape[0], size[0], size[1]]
    labels = torch.empty(shape, dtype=dtype, device=scores.device)
    for image in range(scores.shape[0]):
        _label_image(scores[image].float(), labels[image])
    return labels


def _best_of_all(scores: Tensor, size: tuple[int, int]) -> Tensor:
    # Classes side by side: aten's kernel then takes a third of the time.
    scores = scores.contiguous(memory_format=torch.channels_last)
    # aten's own name: what a script calls `interpolate` today, an older libtorch does not know.
    upsampled: Tensor = torch.ops.aten.upsample_bilinear2d(scores, [size[0], size[1]], False)
    return upsampled.argmax(dim=1)


def _label_image(scores: Tensor, labels: Tensor) -> None:
    """Write the labels of the scores ``(K, h, w)`` into ``labels (height, width)``."""
    height, width = labels.shape[0], labels.shape[1]
    top, bottom, down = samples(scores.shape[1], height, scores.device)
    left, right, across = samples(scores.shape[2], width, scores.device)
    begins, column = _cells(left)
    left, right = left[begins], right[begins]  # (cells across,)
    corners_a_row = scores.shape[0] * len(left) * min(scores.shape[1], height) // height
    rows = max(1, (1 << 15) // max(width, corners_a_row))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        begins, row = _cells(top[first:last])
        upper = scores[:, top[first:last][begins]]  # (K, cells down, w)
        lower = scores[:, bottom[first:last][begins]]
        classes = _survivors(upper, lower, left, right)  # (ranks, cells down, cells across)
        tops = torch.stack([_pick(upper, classes, left), _pick(upper, classes, right)])
        bottoms = torch.stack([_pick(lower, classes, left), _pick(lower, classes, right)])
        winner = _best_rank(tops, bottoms, row, column, down[first:last], across)
        labels[first:last] = classes[winner, row[:, None], column]


def _cells(before: Tensor) -> tuple[Tensor, Tensor]:
    """Group the pixels of one axis into cells: those that share the sample before them.

    Returns:
        The first pixel of each cell ``(cells,)``, and the cell of each pixel ``(pixels,)``.
    """
    begins = torch.ones_like(before, dtype=torch.bool)
    begins[1:] = before[1:] != before[:-1]
    return begins.nonzero().flatten(), begins.cumsum(0) - 1


def _survivors(upper: Tensor, lower: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return for each cell the classes that may win a pixel, ascending, then some that do not.

    Each step of an interpolation is monotone in its inputs, and all classes share the weights, so
    a class that is out could at worst tie by rounding. The slack is more than the six roundings of
    a value can bridge, so it does not even tie. A comparison with not-a-number lets a class stay.
    """
    least, most = torch.minimum(upper, lower), torch.maximum(upper, lower)
    threshold = torch.minimum(least[:, :, left], least[:, :, right]).amax(dim=0)
    threshold = threshold - (threshold.abs() * 2.0**-20 + 1e-37)
    out = torch.maximum(most[:, :, left], most[:, :, right]) < threshold  # (K, cells ...)
    ranks = out.shape[0] - int(out.sum(dim=0).min())
    return out.to(torch.uint8).sort(dim=0, stable=True)[1][:ranks]


def _pick(scores: Tensor, classes: Tensor, columns: Tensor) -> Tensor:
    """Return one corner of each cell's survivors: ``(ranks, cells across, cells down)``."""
    return scores[:, :, columns].gather(0, classes).transpose(1, 2)


def _best_rank(
    tops: Tensor, bottoms: Tensor, row: Tensor, column: Tensor, down: Tensor, across: Tensor
) -> Tensor:
    """Find the survivor of its cell that wins each pixel, the first where two are equal.

    Args:
        tops: ``(2, ranks, cells across, cells down)``: the upper corners, left and right.
        bottoms: The lower corners.
        row: The cell of each row of pixels ``(rows,)``.
        column: The cell of each column of pixels ``(width,)``.
        down: The weight of the lower corners ``(rows,)``.
        across: The weight of the right corners ``(width,)``.

    Returns:
        ``(rows, width)`` int64.
    """
    shape = [len(column), len(row)]  # columns outside, so that indexing one copies all its rows
    best = torch.empty(shape, device=tops.device)
    winner = torch.zeros(shape, dtype=torch.int16, device=tops.device)
    across = across[:, None]
    up, back = 1 - down, 1 - across  # the weights of the other corners
    for rank in range(tops.shape[1]):
        top = tops[:, rank].index_select(2, row)  # (2, cells across, rows)
        bottom = bottoms[:, rank].index_select(2, row)
        sides = top * up + bottom * down
        left = sides[0].index_select(0, column)  # (width, rows)
        right = sides[1].index_select(0, column)
        value = left.mul_(back).add_(right.mul_(across))
        if rank == 0:
            best = value
        else:
            winner.masked_fill_(value > best, rank)
            best = torch.maximum(best, value)
    return winner.t().long()

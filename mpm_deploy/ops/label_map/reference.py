"""Turn coarse class scores into a label for every pixel: the truth of three versions.

`pruned` is the one in plain torch that goes into TorchScript artifacts, `native` the one in C++.
All agree to the bit on a CPU, for they round alike: the steps are those of `label_map` below in
that order, in float32, and no product is fused with the sum around it.
"""

import torch
from torch import Tensor


def label_map(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Upsample class scores bilinearly and take the best class of each pixel.

    Written out so that Inductor makes one loop of it, which never stores the upsampled scores;
    uncompiled it does, three times over.

    Args:
        scores: ``(B, K, h, w)`` floating point, finite and below 2^127.
        size: ``(height, width)`` of the label maps; sampling as with ``align_corners=False``.

    Returns:
        ``(B, height, width)``, uint8, or int16 where ``K > 256``; the lowest class where two are
        equal.
    """
    top, bottom, down = samples(scores.shape[2], size[0], scores.device)
    left, right, across = samples(scores.shape[3], size[1], scores.device)
    down, across = down[:, None, None], across[:, None]
    # Classes side by side: a pixel then finds those of its corners in one piece.
    coarse = scores.float().permute(0, 2, 3, 1).contiguous()  # (B, h, w, K)
    rows = coarse[:, top] * (1 - down) + coarse[:, bottom] * down  # (B, height, w, K)
    values = rows[:, :, left] * (1 - across) + rows[:, :, right] * across
    dtype = torch.uint8 if scores.shape[1] <= 256 else torch.int16
    return values.argmax(dim=-1).to(dtype)


def samples(coarse: int, fine: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Find the two coarse samples of one axis that each pixel lies between.

    ::

        coarse  |   0   |   1   |        a pixel between the centers of 0 and 1 takes from both,
        fine    | 0 | 1 | 2 | 3 |        one beyond the outer centers takes the outer sample

    Returns:
        The samples before and after each pixel, ``(fine,)`` int64, and the weight of the latter,
        ``(fine,)`` float32.
    """
    centers = torch.arange(fine, dtype=torch.float32, device=device) + 0.5
    source = (centers * (coarse / fine) - 0.5).clamp(min=0)
    low = source.long().clamp(max=coarse - 1)
    return low, (low + 1).clamp(max=coarse - 1), source - low

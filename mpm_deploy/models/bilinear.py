"""Resize maps bilinearly, as those who made Mask2Former and ViT-Adapter do."""

import torch
from torch import Tensor


def resized(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize ``(B, C, H, W)`` to a grid: ``(B, C, h, w)``, sampling between centers of cells."""
    # aten's own name: what a script calls `interpolate` today, an older libtorch does not know.
    result: Tensor = torch.ops.aten.upsample_bilinear2d(maps, [grid[0], grid[1]], False)
    return result

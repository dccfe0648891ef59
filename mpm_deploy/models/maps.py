"""Lay cells out as maps and back, and resize maps as those who made Mask2Former and ViT-Adapter do.

cells (B, h w, C), row by row  ◀─ as_cells ── as_map ─▶  map (B, C, h, w)
"""

import torch
from torch import Tensor


def as_cells(maps: Tensor) -> Tensor:
    """Lay maps out row by row: ``(B, C, h, w)`` -> ``(B, h w, C)``."""
    return maps.flatten(2).transpose(1, 2)


def as_map(cells: Tensor, grid: tuple[int, int]) -> Tensor:
    """Undo `as_cells`: ``(B, h w, C)`` -> ``(B, C, h, w)``."""
    return cells.transpose(1, 2).unflatten(2, [grid[0], grid[1]])


def resized(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize ``(B, C, H, W)`` to a grid: ``(B, C, h, w)``, sampling between centers of cells."""
    # aten's own name: what a script calls `interpolate` today, an older libtorch does not know.
    result: Tensor = torch.ops.aten.upsample_bilinear2d(maps, [grid[0], grid[1]], False)
    return result

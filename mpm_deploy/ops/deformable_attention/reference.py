"""Attend to a few places of several grids, which lie between their cells.

The paper is Zhu et al., "Deformable DETR", ICLR 2021.
"""

import torch
from torch import Tensor
from torch.nn import functional


def deformable_attention(
    values: Tensor, grids: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Sum up what each head of each query reads at its points, by their weights.

    A point between cells reads its four neighbors, each by its nearness; cells outside are zeros.
    Each level is a grid of the same image, whose sides are 1 long whatever its cells are::

        0 ──── x ────▶ 1
        │ a   b   c              at (1 / 2, 1 / 4) lies b
        y    •                   • reads of a, b, d and e
        │ d   e   f
        ▼
        1

    Args:
        values: All cells, level after level and row by row, ``(B, S, heads, D)``.
        grids: Cells of each level, ``(down, across)``; their products add up to S.
        locations: Where each point lies, x and y, ``(B, Q, heads, levels, P, 2)``. They are never
            less exact than float32: bfloat16 cannot tell cells of a large grid apart.
        weights: ``(B, Q, heads, levels, P)``.

    Returns:
        ``(B, Q, heads, D)``, in the dtype of ``values``.
    """
    images, queries, heads = locations.shape[0], locations.shape[1], locations.shape[2]
    width = values.shape[3]
    attended = torch.zeros(
        (images * heads, width, queries), dtype=locations.dtype, device=values.device
    )
    first = 0
    for level, (down, across) in enumerate(grids):
        cells = values[:, first : first + down * across]  # (B, h w, heads, D)
        first += down * across
        points = _sampled(cells, down, across, locations[:, :, :, level])  # (B heads, D, Q, P)
        shares = weights[:, :, :, level].transpose(1, 2).flatten(0, 1)  # (B heads, Q, P)
        attended = attended + (points * shares[:, None]).sum(dim=3)
    by_head = attended.reshape(images, heads, width, queries)
    return by_head.permute(0, 3, 1, 2).to(values.dtype)


def _sampled(cells: Tensor, down: int, across: int, locations: Tensor) -> Tensor:
    """Read cells ``(B, h w, heads, D)`` at ``(B, Q, heads, P, 2)``: ``(B heads, D, Q, P)``."""
    images, heads, width = cells.shape[0], cells.shape[2], cells.shape[3]
    planes = cells.permute(0, 2, 3, 1).reshape(images * heads, width, down, across)
    from_minus_one_to_one = 2 * locations.transpose(1, 2).flatten(0, 1) - 1  # (B heads, Q, P, 2)
    return functional.grid_sample(
        planes.to(locations.dtype), from_minus_one_to_one, "bilinear", "zeros", align_corners=False
    )

"""Define the layer by which queries read a few places of several grids, and find those places.

ViT-Adapter's injectors and extractors are made of it, and so is Mask2Former's pixel decoder.
"""

import torch
from torch import Tensor, nn

from mpm_deploy.models.polynomial import multiply_adds
from mpm_deploy.ops.deformable_attention import deformable_attention


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention: each query says from where it reads, and how much.

    Args:
        width: Width C of queries and cells.
        heads: Number of heads, each of which reads at points of its own.
        levels: Number of grids L.
        points: Points P of a head in each grid.
        value_ratio: Width of what is read, as a share of C; ViT-Adapter takes a half.
    """

    def __init__(
        self, width: int, heads: int, levels: int, points: int, value_ratio: float = 1.0
    ) -> None:
        super().__init__()
        value_width = int(width * value_ratio)
        self.heads = heads
        self.levels = levels
        self.points = points
        self.sampling_offsets = nn.Linear(width, heads * levels * points * 2)
        self.attention_weights = nn.Linear(width, heads * levels * points)
        self.value_proj = nn.Linear(width, value_width)
        self.output_proj = nn.Linear(value_width, width)

    def forward(
        self,
        queries: Tensor,
        reference_points: Tensor,
        cells: Tensor,
        grids: list[tuple[int, int]],
    ) -> Tensor:
        """Read for every query around its reference point.

        Args:
            queries: ``(B, Q, C)``.
            reference_points: Those of `cell_centers`, ``(Q, 2)``.
            cells: All levels' one after the other, ``(B, S, C)``.
            grids: Cells of each level, ``(down, across)``.

        Returns:
            ``(B, Q, C)``.
        """
        offsets, weights = self.points_of(queries)
        return self.output_proj(self.read(offsets, weights, reference_points, cells, grids))

    def points_of(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Say where queries read, and how much each place counts.

        Args:
            queries: ``(..., C)``.

        Returns:
            Offsets from a reference point, in cells of the level that is read, x and y,
            ``(..., heads, L, P, 2)``; and weights, ``(..., heads, L, P)``.
        """
        heads, levels, points = self.heads, self.levels, self.points
        offsets = self.sampling_offsets(queries).unflatten(-1, [heads, levels, points, 2])
        logits = self.attention_weights(queries).unflatten(-1, [heads, levels * points])
        weights = logits.softmax(dim=-1)  # over all levels' points together
        return offsets, weights.unflatten(-1, [levels, points])

    def read(
        self,
        offsets: Tensor,
        weights: Tensor,
        reference_points: Tensor,
        cells: Tensor,
        grids: list[tuple[int, int]],
    ) -> Tensor:
        """Read at the points of queries, before what was read is projected.

        Args:
            offsets: Those of `points_of`, ``(B, Q, heads, L, P, 2)``.
            weights: Those of `points_of`, ``(B, Q, heads, L, P)``.
            reference_points: ``(Q, 2)``.
            cells: ``(B, S, C)``.
            grids: Cells of each level, ``(down, across)``.

        Returns:
            ``(B, Q, value_width)``.
        """
        values = self.value_proj(cells).reshape(cells.shape[0], cells.shape[1], self.heads, -1)
        shares = offsets.to(reference_points.dtype) / _sides(grids, reference_points)
        locations = reference_points[:, None, None, None] + shares
        return deformable_attention(values, grids, locations, weights).flatten(2)

    def flops(self, queries: float, cells: float) -> float:
        """Count the FLOPs of its layers for so many queries and cells."""
        of_query = multiply_adds(self.sampling_offsets, self.attention_weights, self.output_proj)
        return 2.0 * (queries * of_query + cells * multiply_adds(self.value_proj))


def _sides(grids: list[tuple[int, int]], like: Tensor) -> Tensor:
    """Return cells across and down of each grid, ``(L, 1, 2)``, in the type of ``like``.

    They are filled in where they are needed: a tensor made of a list would be copied to a GPU.
    """
    across = torch.stack([like.new_full((1,), grid[1]) for grid in grids])
    down = torch.stack([like.new_full((1,), grid[0]) for grid in grids])
    return torch.stack([across, down], dim=2)


def cell_centers(grids: list[tuple[int, int]], device: torch.device) -> Tensor:
    """Return where each cell lies, x and y from 0 to 1, grid after grid: ``(S, 2)`` float32."""
    centers: list[Tensor] = []
    for down, across in grids:
        x = (torch.arange(across, device=device, dtype=torch.float32) + 0.5) / across  # (w,)
        y = (torch.arange(down, device=device, dtype=torch.float32) + 0.5) / down  # (h,)
        centers.append(torch.stack([x.repeat(down), y.repeat_interleave(across)], dim=1))
    return torch.cat(centers)

"""Define the layer by which queries read a few places of several grids, and find those places.

ViT-Adapter's injectors and extractors are made of it, and so is Mask2Former's pixel decoder.
"""

import torch
from torch import Tensor, nn

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
        images, rows = queries.shape[0], queries.shape[1]
        shape = (images, rows, self.heads, self.levels, self.points)
        values = self.value_proj(cells).reshape(images, cells.shape[1], self.heads, -1)
        logits = self.attention_weights(queries).view(images, rows, self.heads, -1)
        weights = logits.softmax(dim=3).view(shape)  # over all levels' points together
        locations = self._locations(self.sampling_offsets(queries), reference_points, grids)
        attended = deformable_attention(values, grids, locations, weights)
        return self.output_proj(attended.flatten(2))

    def _locations(
        self, offsets: Tensor, reference_points: Tensor, grids: list[tuple[int, int]]
    ) -> Tensor:
        """Return ``(B, Q, heads, L, P, 2)``; offsets count cells of the level that is read."""
        images, rows = offsets.shape[0], offsets.shape[1]
        across_and_down = [[grid[1], grid[0]] for grid in grids]
        sides = torch.tensor(across_and_down, device=offsets.device)[:, None]  # (L, 1, 2)
        cells = offsets.view(images, rows, self.heads, self.levels, self.points, 2)
        return reference_points[:, None, None, None] + cells.to(reference_points.dtype) / sides


def cell_centers(grids: list[tuple[int, int]], device: torch.device) -> Tensor:
    """Return where each cell lies, x and y from 0 to 1, grid after grid: ``(S, 2)`` float32."""
    centers: list[Tensor] = []
    for down, across in grids:
        x = (torch.arange(across, device=device, dtype=torch.float32) + 0.5) / across  # (w,)
        y = (torch.arange(down, device=device, dtype=torch.float32) + 0.5) / down  # (h,)
        centers.append(torch.stack([x.repeat(down), y.repeat_interleave(across)], dim=1))
    return torch.cat(centers)

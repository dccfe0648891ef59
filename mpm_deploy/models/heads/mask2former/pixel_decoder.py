"""Define Mask2Former's pixel decoder, which has the levels of a pyramid read one another.

encoder's maps      input_convs          encoder            outputs
1/32   ──────────▶  (B, C, h, w) ──┐                   ┌──▶ level 0
1/16   ──────────▶               ──┼─▶ deformable    ──┼──▶ level 1
1/8    ──────────▶               ──┘   attention       └──▶ level 2
1/4    ───────────────────────────────────────────────── + ─▶ mask features
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.deformable_attention import DeformableAttention, cell_centers
from mpm_deploy.models.heads.mask2former.positions import sine_positions
from mpm_deploy.models.maps import as_cells, as_map, resized
from mpm_deploy.models.polynomial import multiply_adds

GROUPS = 32  # of every GroupNorm, in the paper's models of any width
LEVELS = 3  # of the pyramid, that take part in either decoder; mask features are of a finer map
POINTS = 4  # of a head in each level


class PixelDecoder(nn.Module):
    """Mask2Former's pixel decoder by multi-scale deformable attention.

    Args:
        channels: Channels of the encoder's maps, the finest map's first.
        width: Width C of its levels, a multiple of 32.
        mask_width: Width M of the mask features.
        layers: Number of layers in which levels read one another.
        heads: Number of heads of a layer.
        mlp_width: Width of a layer's MLP.
        levels: How many maps take part, the coarsest ones; finer ones are added afterwards.
        points: Points of a head in each level.
    """

    def __init__(
        self,
        channels: Sequence[int],
        width: int,
        mask_width: int,
        *,
        layers: int,
        heads: int,
        mlp_width: int,
        levels: int = LEVELS,
        points: int = POINTS,
    ) -> None:
        super().__init__()
        coarsest_first = tuple(reversed(channels))
        self.width = width
        self.levels = levels
        self.input_convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, width, 1), nn.GroupNorm(GROUPS, width))
            for count in coarsest_first[:levels]
        )
        self.level_encoding = nn.Parameter(torch.zeros(levels, width))
        self.encoder = nn.ModuleList(
            PixelDecoderLayer(width, heads, mlp_width, levels, points) for _ in range(layers)
        )
        self.finer = nn.ModuleList(FinerLevel(count, width) for count in coarsest_first[levels:])
        self.mask_feature = nn.Conv2d(width, mask_width, 1)

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Decode the maps of an encoder.

        Args:
            maps: ``(B, channels, h, w)`` each, the finest first.

        Returns:
            The levels ``(B, C, h, w)``, the coarsest first, and the mask features ``(B, M, H, W)``
            on the grid of the finest map.
        """
        decoded = self._levels(maps)
        finest = decoded[-1]
        for index, step in enumerate(self.finer):
            finest = step(finest, maps[-1 - self.levels - index])
        return decoded, self.mask_feature(finest)

    def _levels(self, maps: list[Tensor]) -> list[Tensor]:
        """Have the coarsest maps read one another: ``(B, C, h, w)`` each, the coarsest first."""
        grids: list[tuple[int, int]] = []
        projected: list[Tensor] = []
        positions: list[Tensor] = []
        for index, conv in enumerate(self.input_convs):
            level = conv(maps[-1 - index])  # (B, C, h, w)
            grid = (level.shape[2], level.shape[3])
            grids.append(grid)
            projected.append(as_cells(level))  # (B, h w, C)
            place = sine_positions(grid, self.width, level.device).to(level.dtype)  # (h w, C)
            positions.append(place + self.level_encoding[index])
        cells = torch.cat(projected, dim=1)  # (B, S, C)
        places, centers = torch.cat(positions), cell_centers(grids, cells.device)
        for layer in self.encoder:
            cells = layer(cells, places, centers, grids)
        parts = cells.split([grid[0] * grid[1] for grid in grids], dim=1)
        return [as_map(parts[index], grid) for index, grid in enumerate(grids)]

    def flops(self, places: Sequence[float]) -> float:
        """Count the FLOPs for maps of so many places each, the finest first."""
        coarsest_first = list(reversed(places))
        cells = sum(coarsest_first[: self.levels])
        parts = zip([*self.input_convs, *self.finer], coarsest_first, strict=True)
        total = sum(2.0 * count * multiply_adds(part) for part, count in parts)
        total += sum(cast(PixelDecoderLayer, layer).flops(cells) for layer in self.encoder)
        return total + 2.0 * places[0] * multiply_adds(self.mask_feature)


class PixelDecoderLayer(nn.Module):
    """A post-norm transformer layer in which cells of all levels read a few others.

    Args:
        width: Width C of a cell.
        heads: Number of heads.
        mlp_width: Width of the MLP.
        levels: Number of levels.
        points: Points of a head in each level.
    """

    def __init__(self, width: int, heads: int, mlp_width: int, levels: int, points: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(width, heads, levels, points)
        self.norm1 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, mlp_width)
        self.fc2 = nn.Linear(mlp_width, width)
        self.norm2 = nn.LayerNorm(width)

    def forward(
        self, cells: Tensor, positions: Tensor, centers: Tensor, grids: list[tuple[int, int]]
    ) -> Tensor:
        """Transform cells ``(B, S, C)`` with positions ``(S, C)`` and centers ``(S, 2)``."""
        read = self.attention(cells + positions, centers, cells, grids)
        cells = self.norm1(cells + read)
        return self.norm2(cells + self.fc2(functional.relu(self.fc1(cells))))

    def flops(self, cells: float) -> float:
        """Count the FLOPs for so many cells."""
        mlp = 2.0 * cells * multiply_adds(self.fc1, self.fc2)
        return self.attention.flops(cells, cells) + mlp


class FinerLevel(nn.Module):
    """Adds what a coarser level knows to a finer map.

    Args:
        channels: Channels of the finer map.
        width: Width C of a level.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.lateral_conv = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.GroupNorm(GROUPS, width)
        )
        self.output_conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(),
        )

    def forward(self, level: Tensor, finer: Tensor) -> Tensor:
        """Add ``level (B, C, h, w)`` to ``finer (B, channels, H, W)``: ``(B, C, H, W)``."""
        lateral = self.lateral_conv(finer)
        coarse = resized(level, (lateral.shape[2], lateral.shape[3]))
        return self.output_conv(lateral + coarse)

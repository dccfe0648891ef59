"""Define Mask2Former's masked decoder: queries that look where their own mask says.

query ─▶ mask on a level ─▶ reads that level's cells within the mask ─▶ ... ─▶ class and mask
  ▲                                                                  │
  └──────────── once a layer, on the next level in turn ◀────────────┘
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.heads.mask2former.pixel_decoder import LEVELS
from mpm_deploy.models.heads.mask2former.positions import sine_positions
from mpm_deploy.models.maps import as_cells, resized
from mpm_deploy.models.polynomial import multiply_adds


class MaskedDecoder(nn.Module):
    """Mask2Former's transformer decoder.

    Masks that only limit what is read are computed on the grid that they limit: of mask features
    that were resized, where the authors resize the masks of all features. The two are equal, as
    either is linear, and masks at full size are computed once and not once a layer.

    Args:
        width: Width C of queries and of the pixel decoder's levels.
        mask_width: Width M of the mask features.
        classes: Number of classes K; "no object" is one more.
        queries: Number of queries Q.
        layers: Number of layers; each reads one level, in turn.
        heads: Number of heads.
        mlp_width: Width of a layer's MLP.
        levels: Number of levels.
    """

    def __init__(
        self,
        width: int,
        mask_width: int,
        classes: int,
        *,
        queries: int,
        layers: int,
        heads: int,
        mlp_width: int,
        levels: int = LEVELS,
    ) -> None:
        super().__init__()
        self.mask_width = mask_width
        self.query_feat = nn.Parameter(torch.zeros(queries, width))
        self.query_embed = nn.Parameter(torch.zeros(queries, width))
        self.level_embed = nn.Parameter(torch.zeros(levels, width))
        self.layers = nn.ModuleList(
            MaskedDecoderLayer(width, heads, mlp_width) for _ in range(layers)
        )
        self.post_norm = nn.LayerNorm(width)
        self.cls_embed = nn.Linear(width, classes + 1)
        self.mask_embed = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, mask_width),
        )

    def forward(self, levels: list[Tensor], mask_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the queries say.

        Args:
            levels: The pixel decoder's, ``(B, C, h, w)`` each, the coarsest first.
            mask_features: ``(B, M, H, W)``.

        Returns:
            ``class_logits (B, Q, K + 1)``, "no object" last, and ``mask_logits (B, H W, Q)``.
        """
        values: list[Tensor] = []
        keys: list[Tensor] = []
        limiting: list[Tensor] = []  # mask features on the grids that masks limit
        for index, level in enumerate(levels):
            grid = (level.shape[2], level.shape[3])
            cells = as_cells(level) + self.level_embed[index]  # (B, h w, C)
            values.append(cells)
            keys.append(cells + sine_positions(grid, level.shape[1], level.device).to(level.dtype))
            limiting.append(resized(mask_features, grid))
        queries = self.query_feat.expand(mask_features.shape[0], -1, -1)  # (B, Q, C)
        for index, layer in enumerate(self.layers):
            level_index = index % len(levels)
            within = within_masks(self._masks(queries, limiting[level_index]))
            queries = layer(
                queries, self.query_embed, keys[level_index], values[level_index], within
            )
        class_logits = self.cls_embed(self.post_norm(queries))
        return class_logits, self._masks(queries, mask_features).transpose(1, 2)

    def _masks(self, queries: Tensor, mask_features: Tensor) -> Tensor:
        """Return mask logits ``(B, Q, h w)`` of ``(B, Q, C)`` on ``(B, M, h, w)``."""
        return self.mask_embed(self.post_norm(queries)) @ mask_features.flatten(2)

    def flops(self, levels: Sequence[float], places: float) -> float:
        """Count the FLOPs for levels of so many cells, the coarsest first, and so many places."""
        queries = self.query_feat.shape[0]
        read = [levels[index % len(levels)] for index in range(len(self.layers))]
        layers = zip(self.layers, read, strict=True)
        total = sum(cast(MaskedDecoderLayer, each).flops(queries, cells) for each, cells in layers)
        for cells in [*read, places]:  # a mask before each layer, and the last one
            total += 2.0 * queries * (multiply_adds(self.mask_embed) + self.mask_width * cells)
        return total + 2.0 * queries * multiply_adds(self.cls_embed)


class MaskedDecoderLayer(nn.Module):
    """A post-norm transformer layer of queries that read cells, then one another.

    Args:
        width: Width C of queries and cells.
        heads: Number of heads.
        mlp_width: Width of the MLP.
    """

    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.cross_attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, mlp_width)
        self.fc2 = nn.Linear(mlp_width, width)
        self.norm3 = nn.LayerNorm(width)

    def forward(
        self, queries: Tensor, positions: Tensor, keys: Tensor, values: Tensor, within: Tensor
    ) -> Tensor:
        """Transform queries.

        Args:
            queries: ``(B, Q, C)``.
            positions: Of the queries, ``(Q, C)``.
            keys: The cells with their positions, ``(B, S, C)``.
            values: The cells, ``(B, S, C)``.
            within: Which cells a query reads, bool ``(B, Q, S)``.

        Returns:
            ``(B, Q, C)``.
        """
        read = self.cross_attention(queries + positions, keys, values, within)
        queries = self.norm1(queries + read)
        placed = queries + positions
        queries = self.norm2(queries + self.self_attention(placed, placed, queries))
        return self.norm3(queries + self.fc2(functional.relu(self.fc1(queries))))

    def flops(self, queries: float, cells: float) -> float:
        """Count the FLOPs for so many queries that read so many cells."""
        attended = self.cross_attention.flops(queries, cells)
        attended += self.self_attention.flops(queries, queries)
        return attended + 2.0 * queries * multiply_adds(self.fc1, self.fc2)


class Attention(nn.Module):
    """Multi-head attention whose queries, keys and values come from different places.

    Args:
        width: Width C of all three.
        heads: Number of heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, within: Tensor | None = None
    ) -> Tensor:
        """Attend: ``(B, Q, C)``, twice ``(B, S, C)`` and bool ``(B, Q, S)`` -> ``(B, Q, C)``."""
        attended = functional.scaled_dot_product_attention(
            self._by_head(self.q_proj(queries)),
            self._by_head(self.k_proj(keys)),
            self._by_head(self.v_proj(values)),
            None if within is None else within[:, None],  # alike for every head
        )
        return self.out_proj(attended.transpose(1, 2).flatten(2))

    def flops(self, queries: float, cells: float) -> float:
        """Count the FLOPs for so many queries that read so many cells."""
        of_query = multiply_adds(self.q_proj, self.out_proj)
        of_cell = multiply_adds(self.k_proj, self.v_proj)
        products = 2 * queries * cells * self.q_proj.in_features
        return 2.0 * (queries * of_query + cells * of_cell + products)

    def _by_head(self, rows: Tensor) -> Tensor:
        """Part the channels: ``(B, n, C)`` -> ``(B, heads, n, D)``."""
        return rows.reshape(rows.shape[0], rows.shape[1], self.heads, -1).transpose(1, 2)


def within_masks(mask_logits: Tensor) -> Tensor:
    """Return which cells each query reads, bool ``(B, Q, S)`` of logits ``(B, Q, S)``.

    They are those that are in its mask with a probability of a half or more; all, where none is.
    """
    inside = mask_logits >= 0
    return inside | ~inside.any(dim=2, keepdim=True)

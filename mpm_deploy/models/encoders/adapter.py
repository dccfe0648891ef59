"""Define the parts by which ViT-Adapter has a plain ViT exchange features with a pyramid of maps.

The paper is Chen et al., "Vision Transformer Adapter for Dense Predictions", ICLR 2023.

    image ─▶ SpatialPrior ─▶ pyramid ───────┬──────────────────▶ Extractor ─▶ pyramid ─▶ ...
                                            ▼                        ▲
    image ─▶ patches ──────▶ tokens ─▶ Injector ─▶ some blocks ──────┴──────▶ tokens ─▶ ...

A pyramid's cells lie level after level, the finest first, and row by row.

How merged tokens are best injected into, nobody had published. That each patch reads at its own
place, and a token takes the mean, keeps tokens closer to the full-token model's than to read once
at the mean of the places, on 7 to 9 of 12 street scenes, by next to nothing: errors agree in three
digits. Layers compute on as many tokens either way, fewer points are read at the mean, and neither
is faster beyond the noise of the machine. It is taken because it needs no padding where images of
a batch keep different numbers of tokens. This is of one trained ViT-T with an adapter that was
drawn (`benchmarks/injection.py`, `benchmarks/results/injection.json`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.deformable_attention import DeformableAttention
from mpm_deploy.models.maps import as_map
from mpm_deploy.models.packing import first_rows, mean_of_patches
from mpm_deploy.models.polynomial import Polynomial, multiply_adds, per_row
from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.reductions.base import with_tokens
from mpm_deploy.ops.gelu import gelu

LEVELS = 3  # of the pyramid that takes part: of an eighth of the image's size, and coarser
VALUE_RATIO = 0.5  # the width of what is read, as a share of a token's, as EVA-01 has it
FFN_RATIO = 0.25  # the width of an extractor's feed-forward network, likewise
_NORM_EPSILON = 1e-6  # the authors', of every LayerNorm


class SpatialPrior(nn.Module):
    """Makes maps of an image by convolutions, which see what patches of a ViT leave out.

    Args:
        width: Width C of the tokens.
        stem_width: Channels of the finest map, before it is made as wide as the tokens.
    """

    def __init__(self, width: int, stem_width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_convolution(3, stem_width, stride=2),
            *_convolution(stem_width, stem_width),
            *_convolution(stem_width, stem_width),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.conv2 = nn.Sequential(*_convolution(stem_width, 2 * stem_width, stride=2))
        self.conv3 = nn.Sequential(*_convolution(2 * stem_width, 4 * stem_width, stride=2))
        self.conv4 = nn.Sequential(*_convolution(4 * stem_width, 4 * stem_width, stride=2))
        self.fc1 = nn.Conv2d(stem_width, width, 1)
        self.fc2 = nn.Conv2d(2 * stem_width, width, 1)
        self.fc3 = nn.Conv2d(4 * stem_width, width, 1)
        self.fc4 = nn.Conv2d(4 * stem_width, width, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Make four maps ``(B, C, H / s, W / s)`` for s = 4, 8, 16, 32 of ``(B, 3, H, W)``."""
        fourth = self.stem(images)
        eighth = self.conv2(fourth)
        sixteenth = self.conv3(eighth)
        thirty_second = self.conv4(sixteenth)
        return [
            self.fc1(fourth),
            self.fc2(eighth),
            self.fc3(sixteenth),
            self.fc4(thirty_second),
        ]

    def flops(self, places: float) -> float:
        """Count the FLOPs for an image whose finest map has so many places."""
        layers: list[tuple[float, list[nn.Module]]] = [
            (4 * places, [self.stem]),
            (places, [self.fc1]),
            (places / 4, [self.conv2, self.fc2]),
            (places / 16, [self.conv3, self.fc3]),
            (places / 64, [self.conv4, self.fc4]),
        ]
        return sum(2.0 * count * multiply_adds(*parts) for count, parts in layers)


def _convolution(channels: int, width: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
    return conv, BatchNorm(width), nn.ReLU()


class BatchNorm(nn.Module):
    """Normalizes channels by what training has seen of them.

    PyTorch's own counts the batches it was trained on, which is no weight.

    Args:
        width: Number of channels C.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, maps: Tensor) -> Tensor:
        """Normalize ``(B, C, h, w)``."""
        mean, variance = self.running_mean, self.running_var
        return functional.batch_norm(maps, mean, variance, self.weight, self.bias)


class Injector(nn.Module):
    """Adds to tokens what they read of a pyramid.

    Each patch reads at its own place; a merged token gets the mean of what its patches read. That
    is injecting into every patch and merging again, as all patches of a token ask for the same,
    and layers are as many times cheaper as tokens are fewer.

    Args:
        width: Width C of tokens and cells.
        heads: Number of heads.
        levels: Levels of the pyramid.
        points: Points of a head in each level.
        value_ratio: Width of what is read, as a share of C.
    """

    def __init__(
        self, width: int, heads: int, levels: int = 3, points: int = 4, value_ratio: float = 1.0
    ) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.feat_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.attn = DeformableAttention(width, heads, levels, points, value_ratio)
        self.gamma = nn.Parameter(torch.zeros(width))

    def forward(
        self, packed: Packed, centers: Tensor, cells: Tensor, grids: list[tuple[int, int]]
    ) -> Packed:
        """Inject a pyramid into tokens; special tokens stay as they are.

        Args:
            packed: The tokens, ``(T, C)``.
            centers: Of the patches, as `cell_centers` returns them, ``(N, 2)``.
            cells: Of the pyramid, ``(B, S, C)``.
            grids: Cells of each of its levels, ``(down, across)``.

        Returns:
            The same rows with other tokens.
        """
        rows = packed.rows
        offsets, weights = self.attn.points_of(self.query_norm(packed.tokens))  # one each a token
        values = self.feat_norm(cells)
        read = self.attn.read(offsets[rows], weights[rows], centers, values, grids)  # (B, N, D)
        added = self.gamma * self.attn.output_proj(mean_of_patches(packed, read))  # (T, C)
        special = first_rows(packed.offsets, packed.special_tokens).flatten()
        return with_tokens(packed, packed.tokens + added.index_fill(0, special, 0.0))

    def flops(self, cells: float, special_tokens: int) -> Polynomial:
        """Count the FLOPs for a pyramid of so many cells, by image tokens."""
        each = self.attn.flops(1, 0)
        return Polynomial(self.attn.flops(0, cells)) + per_row(each, others=special_tokens)


class Extractor(nn.Module):
    """Adds to the cells of a pyramid what they read of a grid of tokens, and transforms them.

    Args:
        width: Width C of tokens and cells.
        heads: Number of heads.
        points: Points of a head.
        value_ratio: Width of what is read, as a share of C.
        ffn_ratio: Width of the feed-forward network, as a share of C.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        points: int = 4,
        value_ratio: float = 1.0,
        ffn_ratio: float = FFN_RATIO,
    ) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.feat_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.attn = DeformableAttention(width, heads, 1, points, value_ratio)
        self.ffn_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.ffn = ConvolutionalFfn(width, int(width * ffn_ratio))

    def forward(
        self,
        cells: Tensor,
        centers: Tensor,
        grids: list[tuple[int, int]],
        tokens: Tensor,
        grid: tuple[int, int],
    ) -> Tensor:
        """Extract into a pyramid what tokens know.

        Args:
            cells: Of the pyramid, ``(B, S, C)``.
            centers: Of the cells, as `cell_centers` returns them, ``(S, 2)``.
            grids: Cells of each of its levels, ``(down, across)``.
            tokens: One a patch, ``(B, N, C)``.
            grid: Patches, ``(down, across)``.

        Returns:
            The cells, ``(B, S, C)``.
        """
        read = self.attn(self.query_norm(cells), centers, self.feat_norm(tokens), [grid])
        cells = cells + read
        return cells + self.ffn(self.ffn_norm(cells), grids)

    def flops(self, cells: float, patches: float) -> float:
        """Count the FLOPs for a pyramid of so many cells that read so many patches."""
        return self.attn.flops(cells, patches) + self.ffn.flops(cells)


class ConvolutionalFfn(nn.Module):
    """A feed-forward network in which cells also see their neighbors.

    Args:
        width: Width C of a cell.
        hidden_width: Width M between its two layers.
    """

    def __init__(self, width: int, hidden_width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden_width)
        self.dwconv = nn.Conv2d(hidden_width, hidden_width, 3, padding=1, groups=hidden_width)
        self.fc2 = nn.Linear(hidden_width, width)

    def forward(self, cells: Tensor, grids: list[tuple[int, int]]) -> Tensor:
        """Transform the cells of a pyramid: ``(B, S, C)`` -> ``(B, S, C)``."""
        return self.fc2(gelu(self._with_neighbors(self.fc1(cells), grids)))

    def _with_neighbors(self, hidden: Tensor, grids: list[tuple[int, int]]) -> Tensor:
        """Convolve each level by itself: ``(B, S, M)`` -> ``(B, S, M)``."""
        convolved: list[Tensor] = []
        first = 0
        for down, across in grids:
            level = hidden[:, first : first + down * across]  # (B, h w, M)
            first += down * across
            convolved.append(self.dwconv(as_map(level, (down, across))).flatten(2))
        return torch.cat(convolved, dim=2).transpose(1, 2)

    def flops(self, cells: float) -> float:
        """Count the FLOPs for a pyramid of so many cells."""
        return 2.0 * cells * multiply_adds(self)


class Interaction(nn.Module):
    """What one group of a ViT's blocks exchanges with a pyramid: before the group, and after it.

    Args:
        width: Width C of tokens and cells.
        heads: Number of heads.
        points: Points of a head, in each level that it reads.
        extra_extractors: Extractors that follow the first one.
    """

    def __init__(self, width: int, heads: int, points: int, extra_extractors: int = 0) -> None:
        super().__init__()
        self.injector = Injector(width, heads, LEVELS, points, VALUE_RATIO)
        self.extractor = Extractor(width, heads, points, VALUE_RATIO)
        self.extra_extractors = nn.ModuleList(
            Extractor(width, heads, points, VALUE_RATIO) for _ in range(extra_extractors)
        )

    def extract(
        self,
        cells: Tensor,
        centers: Tensor,
        grids: list[tuple[int, int]],
        tokens: Tensor,
        grid: tuple[int, int],
    ) -> Tensor:
        """Extract into a pyramid, by one extractor after another, as `Extractor` does."""
        cells = self.extractor(cells, centers, grids, tokens, grid)
        for extractor in self.extra_extractors:
            cells = extractor(cells, centers, grids, tokens, grid)
        return cells

    def extractor_flops(self, cells: float, patches: float) -> float:
        """Count the FLOPs of its extractors."""
        return (1 + len(self.extra_extractors)) * self.extractor.flops(cells, patches)

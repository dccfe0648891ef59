"""Define a plain ViT with an adapter, which makes a pyramid of four maps.

    image ─▶ SpatialPrior ─▶ pyramid ─┬────────────────▶ extract ─▶ pyramid ─┬─ ... ─▶ pyramid
                                      ▼                    ▲                 ▼            │ +
    image ─▶ patches ─▶ tokens ─▶ inject ─▶ a group of ────┴─▶ tokens ─▶ inject ...       │
                                            blocks        └───── the group's map, resized ┘

Tokens that merged stay merged through all groups that follow. Only what reads them as a grid, an
extractor or the pyramid, gives every patch the values of its token; the class token takes no part
in that. So nothing merged reaches a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mpm_deploy.errors import ModelError
from mpm_deploy.models.deformable_attention import cell_centers
from mpm_deploy.models.encoders.adapter import LEVELS, BatchNorm, Interaction, SpatialPrior
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.config import EncoderConfig, check_reads_pyramid
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.maps import as_cells, as_map, resized
from mpm_deploy.models.packing import equal_offsets, patch_rows
from mpm_deploy.models.polynomial import Polynomial, multiply_adds
from mpm_deploy.models.reductions import Method, Packed

GROUPS = 4  # of blocks, one for each map of the pyramid
PATCH_SIZE = 16  # of which the pyramid's sides follow
EXTRA_EXTRACTORS = 2  # of the last group
_COARSEST = 32  # pixels that a cell of the coarsest map stands for, along each axis


@dataclass(frozen=True)
class AdapterConfig:
    """The shape of an adapter.

    Args:
        heads: Heads of its deformable attention.
        points: Points of a head, in each level that it reads.
        stem_width: Channels of the spatial prior's finest map.
    """

    heads: int
    points: int
    stem_width: int


class AdaptedVit(Encoder):
    """A plain ViT whose adapter makes four maps of its tokens and of the image.

    Its taps are the maps of a fourth, an eighth, a sixteenth and a thirty-second of the image's
    size, one row a cell, row by row.

    Args:
        config: The shape of the ViT; its patches are of 16 pixels, its blocks in groups of equal
            size, and it has one special token and neither a final norm nor rotary positions.
        adapter: The shape of the adapter.
        schedule: The schedule, 0-based and rising; empty is the full-token model.
        method: How tokens merge, and where in those blocks; None is Mutual Pair Merging.
        readout: What the head reads: a pyramid.

    Raises:
        ModelError: What `Encoder` raises; an image that the pyramid does not divide; a head that
            reads tokens.
    """

    schedule: list[int]  # as `Encoder` says it

    def __init__(
        self,
        config: EncoderConfig,
        adapter: AdapterConfig,
        schedule: Sequence[int] = (),
        method: Method | None = None,
        readout: Readout | None = None,
    ) -> None:
        wanted = readout or Readout(pyramid=True)
        check_reads_pyramid(wanted)
        _check_divides(config.image_size)
        super().__init__(config, schedule, method)
        self.readout = wanted
        self.uncounted_merges = len(self.schedule)  # a head sees the cells of maps alone
        width, (down, across) = config.width, config.grid
        group = config.depth // GROUPS
        self.first_blocks = [group * index for index in range(GROUPS)]
        self.last_blocks = [first + group - 1 for first in self.first_blocks]
        self.grids = [(2 * down, 2 * across), (down, across), (down // 2, across // 2)]
        self.prior = SpatialPrior(width, adapter.stem_width)
        self.level_embed = nn.Parameter(torch.zeros(LEVELS, width))
        extra = [0] * (GROUPS - 1) + [EXTRA_EXTRACTORS]
        self.interactions = nn.ModuleList(
            Interaction(width, adapter.heads, adapter.points, count) for count in extra
        )
        self.up = nn.ConvTranspose2d(width, width, 2, 2)
        self.norm1 = BatchNorm(width)
        self.norm2 = BatchNorm(width)
        self.norm3 = BatchNorm(width)
        self.norm4 = BatchNorm(width)

    def forward(self, images: Tensor) -> tuple[list[Packed], Tensor]:
        images = images.to(self.position.dtype)
        packed = self._begin(images)
        finest, cells = self._look(images)
        maps = self._no_maps(packed)
        outputs: list[Tensor] = []
        log_counts: torch.Tensor | None = None
        for index, block in enumerate(self.blocks):
            packed = self._inject(index, packed, cells)
            packed = block.merge_before(packed)  # type: ignore[operator]
            if len(maps) > 1:
                log_counts = self._log_counts(packed, index, log_counts)
            packed = block(packed, log_counts)
            maps += self._maps_at(index, packed)
            if index in self.last_blocks:
                outputs.append(packed.tokens[packed.rows])  # (B, N, C)
                cells = self._extract(index, outputs[-1], cells)
        return self._taps(finest, cells, outputs), torch.cat(maps, dim=1)

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Make the pyramid that the first group starts from, of images ``(B, 3, H, W)``.

        Returns:
            Its finest map, ``(B, C, H / 4, W / 4)``, in which no group takes part; and the cells of
            the others, ``(B, S, C)``.
        """
        levels = self.prior(images)
        cells = [as_cells(level) + self.level_embed[i] for i, level in enumerate(levels[1:])]
        return levels[0], torch.cat(cells, dim=1)

    def _inject(self, index: int, packed: Packed, cells: Tensor) -> Packed:
        """Inject cells ``(B, S, C)`` into the tokens, where a group begins with this block."""
        for group, interaction in enumerate(self.interactions):
            if index == self.first_blocks[group]:
                centers = cell_centers([self.grid], cells.device)  # (N, 2)
                packed = interaction.injector(packed, centers, cells, self.grids)  # type: ignore[operator]
        return packed

    def _extract(self, index: int, tokens: Tensor, cells: Tensor) -> Tensor:
        """Extract tokens ``(B, N, C)`` into cells ``(B, S, C)``, where a group ends with it."""
        for group, interaction in enumerate(self.interactions):
            if index == self.last_blocks[group]:
                centers = cell_centers(self.grids, cells.device)  # (S, 2)
                cells = interaction.extract(cells, centers, self.grids, tokens, self.grid)  # type: ignore[operator]
        return cells

    def _taps(self, finest: Tensor, cells: Tensor, outputs: list[Tensor]) -> list[Packed]:
        """Add up the pyramid.

        Args:
            finest: ``(B, C, H / 4, W / 4)``.
            cells: Of the others, ``(B, S, C)``.
            outputs: The groups' maps, ``(B, N, C)`` each; the first is added to the finest level.
        """
        parts = cells.split([down * across for down, across in self.grids], dim=1)
        levels = [as_map(parts[i], grid) for i, grid in enumerate(self.grids)]
        levels.insert(0, self.up(levels[0]) + finest)
        maps = [as_map(output, self.grid) for output in outputs]
        return [
            _as_tap(self.norm1(_added(levels[0], maps[0]))),
            _as_tap(self.norm2(_added(levels[1], maps[1]))),
            _as_tap(self.norm3(_added(levels[2], maps[2]))),
            _as_tap(self.norm4(_added(levels[3], maps[3]))),
        ]

    def flop_stages(self) -> list[Polynomial]:
        parts = self.flop_parts().values()
        return [sum(stages, Polynomial()) for stages in zip(*parts, strict=True)]

    def flop_parts(self) -> dict[str, list[Polynomial]]:
        down, across = self.grid
        patches, cells = down * across, sum(h * w for h, w in self.grids)
        interactions = [part for part in self.interactions if isinstance(part, Interaction)]
        blocks = super().flop_stages()
        injectors = [Polynomial() for _ in blocks]
        for first, part in zip(self.first_blocks, interactions, strict=True):
            stage = self._merges_before(first)
            injectors[stage] += part.injector.flops(cells, self.special_tokens)
        extractors = sum(part.extractor_flops(cells, patches) for part in interactions)
        finer = 2.0 * 4 * patches * multiply_adds(self.up)
        return {
            "encoder": blocks,
            "spatial prior": _constant(self.prior.flops(16 * patches), len(blocks)),
            "injectors": injectors,
            "extractors": _constant(extractors, len(blocks)),
            "finest map": _constant(finer, len(blocks)),
        }

    def _merges_before(self, block: int) -> int:
        """Count the merges whose tokens an injector before a block gets."""
        return sum(index < block for index in self.schedule) or int(self.merges_embedded)


def _constant(flops: float, stages: int) -> list[Polynomial]:
    """Return so many FLOPs, whatever merges, as those of each stage."""
    return [Polynomial(flops)] + [Polynomial()] * (stages - 1)


def _check_divides(image_size: tuple[int, int]) -> None:
    height, width = image_size
    if height % _COARSEST or width % _COARSEST:
        raise ModelError(
            f"image_size: expected multiples of {_COARSEST}, as the coarsest map of an adapter has "
            f"one cell for so many pixels, got {height} x {width}",
            "take another model.image_size",
        )


def _added(level: Tensor, output: Tensor) -> Tensor:
    """Add a group's map ``(B, C, H / 16, W / 16)``, resized, to a level ``(B, C, h, w)``."""
    return level + resized(output, (level.shape[2], level.shape[3]))


def _as_tap(level: Tensor) -> Packed:
    """Return the cells of a map ``(B, C, h, w)`` as packed rows, none of which is merged."""
    cells = as_cells(level)
    images, count, device = cells.shape[0], cells.shape[1], cells.device
    return Packed(
        cells.flatten(0, 1),
        equal_offsets(images, count, device),
        count,
        patch_rows(images, count, 0, device),
        0,
    )

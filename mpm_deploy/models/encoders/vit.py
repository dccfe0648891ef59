"""Define a plain ViT over packed tokens that merge at the blocks of a schedule.

images (B, 3, H, W) ─▶ patches ─▶ rows (T, C), offsets ─▶ block 0 ─▶ block 1 ─▶ merge ─▶ block 2 ...
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.base import EncoderFamily, PackedEncoder, Readout
from mpm_deploy.models.encoders.block import Block
from mpm_deploy.models.encoders.config import (
    EncoderConfig,
    check_reads_tokens,
    checked_query_block,
    checked_schedule,
    checked_taps,
)
from mpm_deploy.models.encoders.resizing import fitted
from mpm_deploy.models.encoders.rotary import Rotary
from mpm_deploy.models.packing import equal_offsets, image_local, patch_rows, put_in_front
from mpm_deploy.models.polynomial import Polynomial
from mpm_deploy.models.reductions import Method, Mpm, Packed
from mpm_deploy.models.reductions.base import patch_counts, with_tokens

# At which a reduction is asked: the first by the encoder, for block 0, the others by their block.
_PLACES = ("after_embedding", "before_block", "after_attention")


class Encoder(PackedEncoder):
    """A plain ViT that merges tokens at the blocks of its schedule.

    Args:
        config: The shape of the ViT.
        schedule: The schedule, 0-based and rising; empty is the full-token model.
        method: How tokens merge, and where in those blocks; None is Mutual Pair Merging, before
            them.
        readout: What the head reads of it; None is the last block's tokens alone.

    Raises:
        ModelError: A schedule that does not rise, names a block that does not exist, or does not
            suit the method; a method that merges at a place which these blocks do not have; a head
            that reads a pyramid of maps.
    """

    schedule: list[int]  # said here: a script cannot tell what an empty list holds

    def __init__(
        self,
        config: EncoderConfig,
        schedule: Sequence[int] = (),
        method: Method | None = None,
        readout: Readout | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.readout = readout or Readout()
        check_reads_tokens(self.readout)
        self.taps = checked_taps(self.readout.taps, config.depth)
        self.query_block = checked_query_block(self.readout.query_blocks, config.depth)
        self.schedule = checked_schedule(schedule, config.depth)
        self.special_tokens = config.special_tokens
        self.image_size = config.image_size
        self.patch_size = config.patch_size
        self.grid = config.grid
        self.width = config.width
        down, across = config.grid
        self.patch_embed = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        # Position is part of `special` (E, C) already, and added to the patches as (N, C).
        self.special = nn.Parameter(torch.zeros(config.special_tokens, config.width))
        self.position = nn.Parameter(torch.zeros(down * across, config.width))
        self.queries = None
        if self.readout.queries:
            self.queries = nn.Parameter(torch.zeros(self.readout.queries, config.width))
        self.rotary: Rotary | None = None
        if config.rotary_base is not None:
            head_width = config.width // config.heads
            self.rotary = Rotary(config.grid, head_width, config.rotary_base)
        self.norm_pre = _norm(config) if config.pre_norm else nn.Identity()
        self.blocks = nn.ModuleList(_block(config) for _ in range(config.depth))
        self.norm = _norm(config) if config.final_norm else nn.Identity()
        self._merge_by(method or Mpm())

    def _merge_by(self, method: Method) -> None:
        self.proportional_attention = method.proportional_attention
        self.uncounted_merges = method.uncounted_merges(len(self.schedule))
        self.merges_embedded = False
        config = self.config
        reductions = method.reductions(self.schedule, config.grid)
        # The blocks whose attention has other rows than that of the block before.
        self.new_rows = [0, self.query_block]
        for index, reduction in zip(self.schedule, reductions, strict=True):
            if reduction.place not in _PLACES:
                raise ModelError(
                    f"merge place {reduction.place!r}: expected one of {', '.join(_PLACES)}"
                )
            if reduction.place == "after_embedding" and index != 0:
                raise ModelError(f"blocks: expected 0 for a merge after embedding, got {index}")
            reduction.check_patches(config.patch_size)
            self.merges_embedded |= reduction.place == "after_embedding"
            self.blocks[index].reduction = reduction
            self.new_rows.append(index + (reduction.place == "after_attention"))

    def forward(self, images: Tensor) -> tuple[list[Packed], Tensor]:
        packed = self._begin(images.to(self.position.dtype))
        maps = self._no_maps(packed)
        taps: list[Packed] = []
        rotation: tuple[torch.Tensor, torch.Tensor] | None = None
        log_counts: torch.Tensor | None = None
        for index, block in enumerate(self.blocks):
            packed = block.merge_before(packed)  # type: ignore[operator]
            packed = self.with_queries(packed, index)
            rotation = self.rotation(packed, index, rotation)
            if len(maps) > 1:
                log_counts = self._log_counts(packed, index, log_counts)
            packed = block(packed, log_counts, rotation)
            maps += self._maps_at(index, packed)
            if index in self.taps:
                taps.append(with_tokens(packed, self.norm(packed.tokens)))
        return taps, torch.cat(maps, dim=1)

    def _begin(self, images: Tensor) -> Packed:
        """Embed images ``(B, 3, H, W)``, and merge patches where that happens as they are."""
        packed = self.embed(images)
        if self.merges_embedded:
            halved = self._embed_halved(images)
            packed = self.blocks[0].merge_embedded(packed, images, halved)  # type: ignore[operator]
        return packed

    def _no_maps(self, packed: Packed) -> list[Tensor]:
        """Return the maps ``(B, 0, N)`` int32 of no merge."""
        batch, patches = packed.rows.shape[0], packed.rows.shape[1]
        return [packed.rows[:, None, :0].int().reshape(batch, 0, patches)]

    def _maps_at(self, index: int, packed: Packed) -> list[Tensor]:
        """Return the map ``(B, 1, N)`` int32 of the merge at a block, where there is one."""
        if index not in self.schedule:
            return []
        special = packed.special_tokens
        return [image_local(packed.rows, packed.offsets, special).int()[:, None]]

    def _log_counts(self, packed: Packed, index: int, before: Tensor | None) -> Tensor | None:
        """Return what attention of block ``index`` adds to a key's score, ``(T,)``, as `rotation`.

        It is None where keys count once each.
        """
        if self.proportional_attention and (before is None or index in self.new_rows):
            return patch_counts(packed).log()
        return before

    def with_queries(self, packed: Packed, index: int) -> Packed:
        """Put the head's queries in front, where they enter at block ``index``."""
        queries = self.queries
        if queries is not None and index == self.query_block:
            return put_in_front(packed, queries)
        return packed

    def rotation(
        self, packed: Packed, index: int, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor] | None:
        """Return by what block ``index`` turns queries and keys: that of the block before, or anew.

        It is that of `Rotary`, and None where positions are learned.
        """
        if self.rotary is not None and index in self.new_rows:
            return self.rotary(packed)
        return before

    def fit(
        self, weights: Mapping[str, Tensor], image_size: tuple[int, int] | None
    ) -> dict[str, Tensor]:
        how = self.config.position_resize
        return fitted(weights, image_size, self.grid, self.patch_size, how)

    def flop_stages(self) -> list[Polynomial]:
        down, across = self.grid
        embedding = Polynomial(constant=2.0 * down * across * self.width * 3 * self.patch_size**2)
        stages = [embedding]
        if self.merges_embedded:
            quarter = Polynomial(constant=embedding.constant / 4)
            stages = [embedding + quarter + _as_block(self.blocks[0]).merge_flops(), Polynomial()]
        for index, block in enumerate(map(_as_block, self.blocks)):
            others = self.special_tokens
            if index >= self.query_block:
                others += self.readout.queries
            halves = {"before_block": block.attention_flops, "after_attention": block.mlp_flops}
            for place, half in halves.items():
                if block.reduction.place == place:
                    stages[-1] += block.merge_flops()
                    stages.append(Polynomial())
                stages[-1] += half(others)
        return stages

    def embed(self, images: Tensor) -> Packed:
        """Embed images ``(B, 3, H, W)``; each has ``E + N`` rows, special tokens in front."""
        patches = self._project(images) + self.position  # (B, N, C)
        special = self.special.expand(images.shape[0], -1, -1)  # (B, E, C)
        tokens = torch.cat([special.to(patches.dtype), patches], dim=1)
        batch, length = tokens.shape[0], tokens.shape[1]
        return Packed(
            self.norm_pre(tokens.flatten(0, 1)),
            equal_offsets(batch, length, images.device),
            length,
            patch_rows(batch, patches.shape[1], self.special_tokens, images.device),
            self.special_tokens,
        )

    def _embed_halved(self, images: Tensor) -> Tensor:
        """Embed images ``(B, 3, H, W)`` at half their size: ``(B, N / 4, C)``.

        Positions are halved too. Bilinearly that is the mean of every 2 × 2, of pixels and of
        positions.
        """
        down, across = self.grid
        places = self.position.view(down // 2, 2, across // 2, 2, -1)
        position = places.mean(dim=3).mean(dim=1).flatten(0, 1)  # (N / 4, C)
        return self.norm_pre(self._project(functional.avg_pool2d(images, 2)) + position)

    def _project(self, images: Tensor) -> Tensor:
        """Embed patches, ``(B, 3, H, W)`` -> ``(B, N, C)``, by one matrix product.

        It equals the convolution, whose windows do not overlap. cuDNN would compute that in TF32,
        whatever precision is asked of products.
        """
        side = self.patch_size
        down, across = images.shape[2] // side, images.shape[3] // side
        cut = images.reshape(images.shape[0], 3, down, side, across, side)
        pixels = cut.permute(0, 2, 4, 1, 3, 5).reshape(images.shape[0], down * across, -1)
        return functional.linear(pixels, self.patch_embed.weight.flatten(1), self.patch_embed.bias)


class VitFamily(EncoderFamily, ABC):
    """A family of ViTs that differ in their shapes alone."""

    @classmethod
    @abstractmethod
    def shape(cls, backbone: str) -> EncoderConfig:
        """Return a backbone's shape at an input of one patch."""

    @classmethod
    def patch_size(cls, backbone: str) -> int:
        return cls.shape(backbone).patch_size

    def make(
        self,
        backbone: str,
        image_size: tuple[int, int],
        schedule: Sequence[int],
        method: Method,
        readout: Readout,
    ) -> Encoder:
        config = replace(self.shape(backbone), image_size=image_size)
        return Encoder(config, schedule, method, readout)


def _block(config: EncoderConfig) -> Block:
    return Block(
        config.width,
        config.heads,
        config.mlp_width,
        norm_epsilon=config.norm_epsilon,
        gated_mlp=config.gated_mlp,
        qkv_bias=config.qkv_bias,
        qk_norm=config.qk_norm,
        layer_scale=config.layer_scale,
    )


def _norm(config: EncoderConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.width, eps=config.norm_epsilon)


def _as_block(module: nn.Module) -> Block:
    return cast(Block, module)

"""Define a plain ViT over packed tokens that merge at the blocks of a schedule.

images (B, 3, H, W) ─▶ patches ─▶ rows (T, C), offsets ─▶ block 0 ─▶ block 1 ─▶ merge ─▶ block 2 ...
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.base import PackedEncoder, Readout
from mpm_deploy.models.encoders.resizing import PositionResize, fitted
from mpm_deploy.models.encoders.rotary import Rotary, rotate
from mpm_deploy.models.packing import equal_offsets, image_local, patch_rows, put_in_front
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Method, Mpm, Packed, Reduction
from mpm_deploy.models.reductions.base import patch_counts, with_tokens
from mpm_deploy.ops.attention import attention
from mpm_deploy.support.numbers import integers


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of a plain ViT.

    Args:
        image_size: ``(height, width)`` in pixels, multiples of ``patch_size``.
        patch_size: Side of a patch in pixels.
        width: Width C of a token.
        depth: Number of blocks.
        heads: Attention heads of a block.
        mlp_width: Hidden width of a block's MLP.
        gated_mlp: Whether the MLP is a SwiGLU.
        special_tokens: Class, distillation and register tokens in front of the patches.
        norm_epsilon: Epsilon of every LayerNorm.
        qkv_bias: Whether the projections to queries, keys and values have a bias.
        qk_norm: Whether queries and keys pass a LayerNorm.
        layer_scale: Whether each branch is scaled before it is added.
        pre_norm: Whether a LayerNorm stands before the first block.
        final_norm: Whether a LayerNorm stands after the last block.
        rotary_base: Base of the rotary position embedding; None is positions that are learned.
        position_resize: How learned positions are resized to another grid.
    """

    image_size: tuple[int, int]
    patch_size: int = 16
    width: int = 192
    depth: int = 12
    heads: int = 3
    mlp_width: int = 768
    gated_mlp: bool = False
    special_tokens: int = 1
    norm_epsilon: float = 1e-6
    qkv_bias: bool = True
    qk_norm: bool = False
    layer_scale: bool = False
    pre_norm: bool = False
    final_norm: bool = True
    rotary_base: float | None = None
    position_resize: PositionResize = "bilinear"

    def __post_init__(self) -> None:
        height, width = self.image_size
        if height < 1 or width < 1 or height % self.patch_size or width % self.patch_size:
            raise ModelError(
                f"image_size: expected multiples of the patch size {self.patch_size}, "
                f"got {height} x {width}",
                "take another model.image_size, or set input.pad to 'center'",
            )
        if self.width % self.heads:
            raise ModelError(f"width: expected a multiple of {self.heads} heads, got {self.width}")

    @property
    def grid(self) -> tuple[int, int]:
        """The number of patches ``(down, across)``."""
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size


def checked_schedule(blocks: Sequence[int], depth: int) -> list[int]:
    """Return a schedule as a list, after checking that it fits ``depth`` blocks.

    Raises:
        InputError: It holds anything but whole numbers.
        ModelError: It does not rise, or names a block that does not exist.
    """
    schedule = list(integers("blocks", blocks))
    if schedule != sorted(set(schedule)) or any(not 0 <= block < depth for block in schedule):
        raise ModelError(
            f"blocks: expected rising block numbers from 0 to {depth - 1}, got {schedule}"
        )
    return schedule


def checked_taps(taps: Sequence[int], depth: int) -> list[int]:
    """Return the numbers of the blocks after which tokens are read, counted from 0.

    Raises:
        ModelError: There are not so many blocks.
    """
    numbers = [tap + depth if tap < 0 else tap for tap in taps]
    if numbers != sorted(set(numbers)) or not all(0 <= number < depth for number in numbers):
        raise ModelError(f"taps: expected rising blocks of {depth}, got {list(taps)}")
    return numbers


def checked_query_block(query_blocks: int, depth: int) -> int:
    """Return the number of the block before which queries enter, counted from 0.

    Raises:
        ModelError: There are not so many blocks.
    """
    if query_blocks > depth:
        raise ModelError(f"query_blocks: expected at most the {depth} blocks, got {query_blocks}")
    return depth - query_blocks


_PLACES = ("before_block", "after_attention")  # at which a block asks its reduction


class Block(nn.Module):
    """A pre-norm transformer block on packed rows.

    Attributes:
        reduction: The merge that happens at this block; one that does nothing, unless it is set.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_width: int,
        *,
        norm_epsilon: float,
        gated_mlp: bool = False,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        layer_scale: bool = False,
    ) -> None:
        super().__init__()
        head_width = width // heads
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=norm_epsilon)
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.q_norm = nn.LayerNorm(head_width, eps=norm_epsilon) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(head_width, eps=norm_epsilon) if qk_norm else nn.Identity()
        self.proj = nn.Linear(width, width)
        self.scale1 = Scale(width) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=norm_epsilon)
        self.fc1 = nn.Linear(width, 2 * mlp_width if gated_mlp else mlp_width)
        self.activation = SwiGlu() if gated_mlp else nn.GELU()
        self.fc2 = nn.Linear(mlp_width, width)
        self.scale2 = Scale(width) if layer_scale else nn.Identity()
        self.reduction = Reduction()

    def merge_before(self, packed: Packed) -> Packed:
        """Merge the tokens that the block starts from, where its reduction is one that does."""
        return self.reduction.before_block(packed)

    def forward(
        self,
        packed: Packed,
        key_log_weight: Tensor | None = None,
        rotation: tuple[Tensor, Tensor] | None = None,
    ) -> Packed:
        """Transform the tokens of ``packed``.

        Args:
            packed: The tokens; those that merge before the block have merged.
            key_log_weight: That of `attention`.
            rotation: That of `Rotary`, by which queries and keys are turned; None turns none.
        """
        tokens, keys = self._attend(packed, key_log_weight, rotation)
        attended = self.reduction.after_attention(with_tokens(packed, tokens), keys)
        return with_tokens(attended, self._transform(attended.tokens))

    def _attend(
        self,
        packed: Packed,
        key_log_weight: Tensor | None,
        rotation: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """Compute the first half, attention: tokens ``(T, C)``, and their keys (T, heads, D)."""
        tokens, offsets, max_length = packed.tokens, packed.offsets, packed.max_length
        rows, width = tokens.shape[0], tokens.shape[1]
        qkv = self.qkv(self.norm1(tokens)).view(rows, 3, self.heads, width // self.heads)
        q, k, v = self.q_norm(qkv[:, 0]), self.k_norm(qkv[:, 1]), qkv[:, 2]  # (T, heads, D) each
        if rotation is not None:
            cosines, sines = rotation
            q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        attended = attention(q, k, v, offsets, max_length, key_log_weight).reshape(rows, width)
        return tokens + self.scale1(self.proj(attended)), k

    def _transform(self, tokens: Tensor) -> Tensor:
        """Compute the second half, the MLP: ``(T, C)`` -> ``(T, C)``."""
        return tokens + self.scale2(self.fc2(self.activation(self.fc1(self.norm2(tokens)))))

    def flops(self, others: int) -> Polynomial:
        """Count the FLOPs of the block, by image tokens; ``others`` are the rows besides."""
        return self.attention_flops(others) + self.mlp_flops(others)

    def attention_flops(self, others: int) -> Polynomial:
        """Count the FLOPs of the first half."""
        # q kᵀ and (weights) v: 4 C n² with n = others + t
        pairs = 4.0 * self.proj.in_features
        products = Polynomial(pairs * others**2, 2 * pairs * others, pairs)
        return _layer_flops(others, self.qkv, self.proj) + products

    def mlp_flops(self, others: int) -> Polynomial:
        """Count the FLOPs of the second half."""
        return _layer_flops(others, self.fc1, self.fc2)

    def merge_flops(self) -> Polynomial:
        """Count the FLOPs of comparing tokens to merge them."""
        width = self.proj.in_features
        return Polynomial(quadratic=self.reduction.similarity_flops(width, width // self.heads))


def _layer_flops(others: int, *layers: nn.Linear) -> Polynomial:
    return per_row(2.0 * sum(layer.in_features * layer.out_features for layer in layers), others)


class SwiGlu(nn.Module):
    """The gated activation of Shazeer, "GLU Variants Improve Transformer", 2020."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Gate one half of the channels by the other: ``(T, 2 M)`` -> ``(T, M)``."""
        gate, value = hidden.chunk(2, dim=-1)
        return functional.silu(gate) * value


class Scale(nn.Module):
    """LayerScale, which has one learned factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Multiply each channel by its factor: ``(T, C)`` -> ``(T, C)``."""
        return tokens * self.gamma


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
            suit the method; a method that merges at a place which these blocks do not have.
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
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                config.heads,
                config.mlp_width,
                norm_epsilon=config.norm_epsilon,
                gated_mlp=config.gated_mlp,
                qkv_bias=config.qkv_bias,
                qk_norm=config.qk_norm,
                layer_scale=config.layer_scale,
            )
            for _ in range(config.depth)
        )
        self.norm = _norm(config) if config.final_norm else nn.Identity()
        self._merge_by(method or Mpm())

    def _merge_by(self, method: Method) -> None:
        self.proportional_attention = method.proportional_attention
        self.weighted_decoding = method.weighted_decoding
        config = self.config
        reductions = method.reductions(self.schedule, config.grid)
        for index, reduction in zip(self.schedule, reductions, strict=True):
            if reduction.place not in _PLACES:
                raise ModelError(
                    f"merge place {reduction.place!r}: expected one of {', '.join(_PLACES)}"
                )
            self.blocks[index].reduction = reduction

    def forward(self, images: Tensor) -> tuple[list[Packed], Tensor]:
        packed = self._embed(images.to(self.position.dtype))
        batch, patches = packed.rows.shape[0], packed.rows.shape[1]
        maps = [packed.rows[:, None, :0].int().reshape(batch, 0, patches)]
        taps: list[Packed] = []
        rotation: tuple[torch.Tensor, torch.Tensor] | None = None
        for index, block in enumerate(self.blocks):
            packed = block.merge_before(packed)  # type: ignore[operator]
            queries = self.queries
            if queries is not None and index == self.query_block:
                packed = put_in_front(packed, queries)
            log_counts: torch.Tensor | None = None
            if self.proportional_attention and len(maps) > 1:
                log_counts = patch_counts(packed).log()
            if self.rotary is not None and self._rows_are_new(index):
                rotation = self.rotary(packed)
            packed = block(packed, log_counts, rotation)
            if index in self.schedule:
                special = packed.special_tokens
                maps.append(image_local(packed.rows, packed.offsets, special).int()[:, None])
            if index in self.taps:
                taps.append(with_tokens(packed, self.norm(packed.tokens)))
        return taps, torch.cat(maps, dim=1)

    def _rows_are_new(self, index: int) -> bool:
        """Tell whether the rows of a block's attention are others than the block's before."""
        merged = index in self.schedule or index - 1 in self.schedule
        return index == 0 or merged or index == self.query_block

    def fit(
        self, weights: Mapping[str, Tensor], image_size: tuple[int, int] | None
    ) -> dict[str, Tensor]:
        how = self.config.position_resize
        return fitted(weights, image_size, self.grid, self.patch_size, how)

    def flop_stages(self) -> list[Polynomial]:
        down, across = self.grid
        stages = [Polynomial(constant=2.0 * down * across * self.width * 3 * self.patch_size**2)]
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

    def _embed(self, images: Tensor) -> Packed:
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

    def _project(self, images: Tensor) -> Tensor:
        """Embed patches, ``(B, 3, H, W)`` -> ``(B, N, C)``, by one matrix product.

        It equals the convolution, whose windows do not overlap. cuDNN would compute that in TF32,
        whatever precision is asked of products.
        """
        side = self.patch_size
        down, across = self.grid
        cut = images.reshape(images.shape[0], 3, down, side, across, side)
        pixels = cut.permute(0, 2, 4, 1, 3, 5).reshape(images.shape[0], down * across, -1)
        return functional.linear(pixels, self.patch_embed.weight.flatten(1), self.patch_embed.bias)


def _norm(config: EncoderConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.width, eps=config.norm_epsilon)


def _as_block(module: nn.Module) -> Block:
    return cast(Block, module)

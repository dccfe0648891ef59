"""Describe the shape of a plain ViT, and check that a schedule and a readout fit its blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.resizing import PositionResize
from mpm_deploy.support.numbers import integers
from mpm_deploy.support.quoting import shown


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


def checked_schedule(blocks: Sequence[int], depth: int, key: str = "blocks") -> list[int]:
    """Return a schedule as a list, after checking that it fits ``depth`` blocks.

    Args:
        blocks: The schedule.
        depth: Blocks of the encoder.
        key: What the message calls it.

    Raises:
        InputError: It holds anything but whole numbers.
        ModelError: It does not rise, or names a block that does not exist.
    """
    schedule = list(integers(key, blocks))
    if schedule != sorted(set(schedule)) or any(not 0 <= block < depth for block in schedule):
        raise ModelError(
            f"{key}: expected rising block numbers from 0 to {depth - 1}, got {schedule}",
            f"name each block once and in order; the last one is {depth - 1}",
        )
    return schedule


def check_reads_tokens(readout: Readout) -> None:
    """Refuse a head that reads a pyramid of maps, which a plain ViT has none of.

    Raises:
        ModelError: The head is one.
    """
    if readout.pyramid:
        raise ModelError(
            "head: expected one that reads tokens, as mask_transformer, got one that reads a "
            "pyramid of maps, as mask2former",
            "take a backbone with an adapter, as eva_giant_patch16_adapter, or another head",
        )


def check_reads_pyramid(readout: Readout) -> None:
    """Refuse a head that reads tokens of a ViT whose adapter makes a pyramid of maps of them.

    Raises:
        ModelError: The head is one.
    """
    if not readout.pyramid:
        raise ModelError(
            "head: expected one that reads a pyramid of maps, as mask2former, got one that reads "
            "tokens",
            "take such a head, or a backbone without an adapter, as vit_base_patch16",
        )


def checked_taps(taps: Sequence[int], depth: int) -> list[int]:
    """Return the numbers of the blocks after which tokens are read, counted from 0.

    Raises:
        ModelError: There are not so many blocks.
    """
    numbers = [tap + depth if tap < 0 else tap for tap in taps]
    rising = numbers == sorted(set(numbers))
    if not numbers or not rising or not all(0 <= number < depth for number in numbers):
        raise ModelError(
            f"taps: expected rising blocks of {depth}, got {shown(list(taps))}",
            f"the first is 0 or -{depth}, the last {depth - 1} or -1",
        )
    return numbers


def checked_query_block(query_blocks: int, depth: int) -> int:
    """Return the number of the block before which queries enter, counted from 0.

    Raises:
        ModelError: There are not so many blocks.
    """
    if query_blocks > depth:
        raise ModelError(
            f"query_blocks: expected at most the {depth} blocks, got {query_blocks}",
            "take fewer: EoMT's queries pass the last four",
        )
    return depth - query_blocks

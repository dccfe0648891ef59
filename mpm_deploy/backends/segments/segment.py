"""Define a segment: the part of a model from one merge to the next.

    the first     images                             ─▶ tokens_1, kept_1, merge_map_1
    the next      tokens_1, merge_map_1              ─▶ tokens_2, kept_2, merge_map_2
    the last      tokens_2, merge_map_2, tap_1, ...  ─▶ scores

    images        (1, 3, H, W) uint8
    tokens_m      (T, C) after m merges: the first rows of a buffer that is as long as what merged
    kept_m        how many rows those are, (1,) int32
    merge_map_m   (1, N) int32: the token that each patch belongs to after m merges
    tap_b         (T, C) behind block b, where the head reads that beside the last one's
    scores        (1, K, h, w) float32

A model without merges is one segment, the first and the last.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from mpm_deploy.backends.segments.merge import merge_into_buffer
from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.packing import equal_offsets, image_local, patch_rows
from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.reductions.base import with_tokens
from mpm_deploy.models.reductions.mpm import MutualPairs
from mpm_deploy.models.segmenter import Segmenter


def cut(model: Segmenter) -> list["Segment"]:
    """Cut a model before each block of its schedule.

    Args:
        model: A model whose tokens merge by Mutual Pair Merging, or not at all.

    Returns:
        Its segments, which share its weights: one more than there are merges.

    Raises:
        ModelError: Another encoder than a plain ViT, or tokens that merge in another way.
    """
    encoder = model.encoder
    if type(encoder) is not Encoder:  # one with an adapter reads more than its tokens
        raise ModelError(
            f"encoder: expected a plain ViT, which can be cut, got {type(encoder).__name__}",
            "take a backend that needs no cut: aotinductor or torchscript",
        )
    for block in encoder.schedule:
        reduction = encoder.blocks[block].reduction
        if not isinstance(reduction, MutualPairs):
            raise ModelError(
                f"merge at block {block}: expected mutual pairs before the block, where a model "
                f"can be cut, got {type(reduction).__name__}",
                "take method 'mpm', or a backend that needs no cut: aotinductor or torchscript",
            )
    return [Segment(model, index).eval() for index in range(len(encoder.schedule) + 1)]


class Segment(nn.Module):
    """The blocks between two merges, computed by the model's own modules, on one image.

    Args:
        model: The model; see `cut`.
        index: How many merges lie before it.

    Attributes:
        inputs: The names of the tensors that it takes, in order.
        outputs: The names of those that it gives, in order.
    """

    def __init__(self, model: Segmenter, index: int) -> None:
        super().__init__()
        self.model = model
        self.encoder = cast(Encoder, model.encoder)
        self.index = index
        borders = [0, *self.encoder.schedule, len(self.encoder.blocks)]
        self.blocks = range(borders[index], borders[index + 1])
        self.is_last = index == len(self.encoder.schedule)
        self.early_taps = [tap for tap in self.encoder.taps if tap < self.blocks.start]
        self.inputs = self._inputs()
        self.outputs = self._outputs()

    def run(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute what it gives, by name, as a `Step` of a chain."""
        return dict(zip(self.outputs, self(*inputs), strict=True))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the tensors named `outputs` from those named `inputs`."""
        given = dict(zip(self.inputs, inputs, strict=True))
        packed, taps = self._transform(self._begin(given))
        if self.is_last:
            early = [self._early_tap(block, given) for block in self.early_taps]
            no_maps = packed.rows[:, None].int()  # asked for by methods alone that cut nothing
            return (self.model.scored(early + taps, no_maps),)
        merged = merge_into_buffer(packed)
        merge_map = image_local(merged.rows, packed.offsets, packed.special_tokens)
        return merged.tokens, merged.kept, merge_map.int(), *(tap.tokens for tap in taps)

    def _inputs(self) -> list[str]:
        if self.index == 0:
            return ["images"]
        names = [f"tokens_{self.index}", f"merge_map_{self.index}"]
        for block in self.early_taps if self.is_last else []:
            names.append(f"tap_{block}")
            if self._merges_until(block):
                names.append(f"merge_map_{self._merges_until(block)}")
        return list(dict.fromkeys(names))

    def _outputs(self) -> list[str]:
        if self.is_last:
            return ["scores"]
        taps = [f"tap_{block}" for block in self.encoder.taps if block in self.blocks]
        merges = self.index + 1
        return [f"tokens_{merges}", f"kept_{merges}", f"merge_map_{merges}", *taps]

    def _begin(self, given: Mapping[str, Tensor]) -> Packed:
        """Return the tokens that it starts from."""
        if self.index > 0:
            tokens = given[f"tokens_{self.index}"]
            return self._packed(tokens, given, self.index, self.blocks.start - 1)
        normalized = self.model.normalized(given["images"])
        return self.encoder.embed(normalized.to(self.encoder.position.dtype))

    def _transform(self, packed: Packed) -> tuple[Packed, list[Packed]]:
        """Run its blocks; return the tokens behind them, and those at taps among them."""
        encoder, taps = self.encoder, []
        rotation: tuple[Tensor, Tensor] | None = None
        for block in self.blocks:
            packed = encoder.with_queries(packed, block)
            rotation = encoder.rotation(packed, block, rotation)
            packed = encoder.blocks[block](packed, None, rotation)
            if block in encoder.taps:
                taps.append(with_tokens(packed, encoder.norm(packed.tokens)))
        return packed, taps

    def _early_tap(self, block: int, given: Mapping[str, Tensor]) -> Packed:
        """Return what a segment before has read behind one of its blocks."""
        return self._packed(given[f"tap_{block}"], given, self._merges_until(block), block)

    def _packed(
        self, tokens: Tensor, given: Mapping[str, Tensor], merges: int, block: int
    ) -> Packed:
        """Say which row of ``tokens (T, C)`` holds each patch, after merges and behind a block."""
        encoder, device, length = self.encoder, tokens.device, tokens.shape[0]
        special = encoder.special_tokens
        if block >= encoder.query_block:
            special += encoder.readout.queries
        if merges > 0:
            rows = given[f"merge_map_{merges}"].long() + special
        else:
            rows = patch_rows(1, encoder.grid[0] * encoder.grid[1], special, device)
        return Packed(tokens, equal_offsets(1, length, device), length, rows, special)

    def _merges_until(self, block: int) -> int:
        return sum(merge <= block for merge in self.encoder.schedule)

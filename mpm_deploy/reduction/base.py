"""What every reduction is given and gives: packed tokens, and the row that holds each patch.

                 Packed ─▶ before_block ─▶ attention ─▶ after_attention ─▶ MLP ─▶ Packed
mpm                        merges
tome, algm                                              merge
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Packed(NamedTuple):
    """The tokens of a batch, image after image, without padding.

    Args:
        tokens: ``(T, C)``, special tokens in front of each image's rows.
        offsets: Image ``b`` owns rows ``offsets[b]:offsets[b + 1]``, ``(B + 1,)`` int32.
        max_length: An upper bound of the rows an image has.
        rows: The row that holds each patch, ``(B, N)`` int64.
    """

    tokens: Tensor
    offsets: Tensor
    max_length: int
    rows: Tensor


class Reduction(nn.Module):
    """What happens to the tokens at one block: nothing. A member overrides the hook of its place.

    Attributes:
        place: ``"before_block"`` or ``"after_attention"``, where it merges; empty if nowhere.
    """

    place = ""

    def before_block(self, packed: Packed) -> Packed:
        """Called with what the block is given."""
        return packed

    def after_attention(self, packed: Packed, keys: Tensor) -> Packed:
        """Called between attention and MLP, with the keys ``(T, heads, D)`` of that attention."""
        return packed

    def similarity_flops(self, width: int, head_width: int) -> float:
        """FLOPs of the products that compare an image's tokens, divided by their number squared.

        Args:
            width: Of a token.
            head_width: Of a key.
        """
        return 0.0


class ImageReduction(Reduction):
    """Merges after attention within each image, so that none depends on its batch.

    A member says by what tokens are compared, and which tokens of an image become one. The mean is
    weighted by the patches that each stands for.

    Args:
        special_tokens: Rows in front of each image that never merge.
        adaptive: Whether each image has its own number of tokens to keep. If not, images come with
            equal lengths and stay so, and no size depends on the data.
    """

    place = "after_attention"

    def __init__(self, special_tokens: int, adaptive: bool = True) -> None:
        super().__init__()
        self.special_tokens = special_tokens
        self.adaptive = adaptive

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        """What tokens are compared by: ``(T, C)`` and ``(T, heads, D)`` -> ``(T, F)``."""
        raise NotImplementedError

    def map_images(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Where the tokens of each image go, special ones aside.

        Args:
            features: ``(B, L, F)``; what stands behind the tokens of an image is not its own.
            lengths: Tokens of each image, ``(B,)`` int64.

        Returns:
            The token of its image that each goes to, ``(B, L or more)`` int64 counted from 0
            without gaps, of any value behind an image's tokens; and how many tokens that leaves,
            ``(B,)`` int64.
        """
        raise NotImplementedError

    def kept(self, tokens: int) -> int:
        """An upper bound of what is left of ``tokens`` tokens; their number, if not adaptive."""
        return tokens

    def after_attention(self, packed: Packed, keys: Tensor) -> Packed:
        special, offsets = self.special_tokens, packed.offsets.long()
        features = self._by_image(packed, self.features(packed.tokens, keys))
        image_map, kept = self.map_images(features, offsets.diff() - special)
        merged_offsets = functional.pad((kept + special).cumsum(0), [1, 0])  # (B + 1,)

        row = torch.arange(packed.tokens.shape[0], device=offsets.device)
        image = images_of(row, offsets)  # (T,)
        place = row - offsets[image] - special  # (T,), below 0 for special tokens
        token = torch.where(place < 0, place, image_map[image, place.clamp(min=0)])
        merge_map = merged_offsets[image] + special + token

        max_length = special + self.kept(packed.max_length - special)
        merged_rows = kept.shape[0] * max_length
        if self.adaptive:
            merged_rows = kept_rows(place < kept[image], special).shape[0]
        return _join(packed, merge_map, merged_offsets.int(), merged_rows, max_length)

    def _by_image(self, packed: Packed, features: Tensor) -> Tensor:
        """``(T, F)`` -> ``(B, L, F)`` without special tokens; L is static but for a lone image."""
        special, first = self.special_tokens, packed.offsets[:-1, None].long()
        rows = features.shape[0]
        longest = rows if first.shape[0] == 1 else packed.max_length
        place = torch.arange(special, longest, device=features.device)  # (L,)
        return features[(first + place).clamp(max=rows - 1)]


class Method(ABC):
    """A way of merging with its options: makes the reductions of a schedule.

    Attributes:
        proportional_attention: Whether a key counts as often as the patches that it stands for; for
            methods that merge after attention.
    """

    proportional_attention: bool = False

    @abstractmethod
    def reductions(
        self, merges: int, special_tokens: int, grid: tuple[int, int]
    ) -> list[Reduction]:
        """One for each block of the schedule, in order.

        Args:
            merges: Blocks of the schedule.
            special_tokens: Rows in front of each image that never merge.
            grid: Patches of an image, ``(down, across)``.

        Raises:
            ModelError: The method cannot merge that often.
        """


def images_of(rows: Tensor, offsets: Tensor) -> Tensor:
    """The image that each packed row belongs to.

    Args:
        rows: Numbers of rows, ``(T,)`` int64.
        offsets: ``(B + 1,)`` integer.

    Returns:
        ``(T,)`` int64.
    """
    # All offsets, the first too: of a slice of them Inductor's code for a GPU finds no strides.
    return torch.bucketize(rows, offsets.long(), right=True) - 1


def patch_counts(packed: Packed) -> Tensor:
    """How many patches each row stands for, ``(T,)``; special tokens count as one.

    It is float32 at least: bfloat16 has no 257, and its atomic addition no compiled form.
    """
    precise = torch.promote_types(packed.tokens.dtype, torch.float32)
    patches = packed.rows.flatten()
    ones = torch.ones(patches.shape[0], dtype=precise, device=patches.device)
    zeros = torch.zeros(packed.tokens.shape[0], dtype=precise, device=patches.device)
    return zeros.index_add(0, patches, ones).clamp(min=1)


def kept_rows(kept: Tensor, special_tokens: int) -> Tensor:
    """The rows where ``kept (T,)`` is true, ``(T',)``: the one size that depends on the data."""
    rows = kept.nonzero().flatten()
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        _tell_exporter(rows.shape[0], kept.shape[0], special_tokens)
    return rows


def _tell_exporter(kept: int, rows: int, special_tokens: int) -> None:
    """What an exporter cannot know of a size that depends on the data."""
    if torch.compiler.is_exporting():
        torch._check(kept > special_tokens)  # whoever exports a model has images with patches
        torch._check(kept <= rows)


def _join(
    packed: Packed, merge_map: Tensor, offsets: Tensor, merged_rows: int, max_length: int
) -> Packed:
    """The mean of the rows that ``merge_map (T,)`` sends to one, by the patches they stand for."""
    counts = patch_counts(packed)  # (T,)
    weighted = packed.tokens * counts[:, None]
    sums = weighted.new_zeros(merged_rows, weighted.shape[1]).index_add(0, merge_map, weighted)
    totals = counts.new_zeros(merged_rows).index_add(0, merge_map, counts)
    tokens = (sums / totals[:, None]).to(packed.tokens.dtype)
    return Packed(tokens, offsets, max_length, merge_map[packed.rows])

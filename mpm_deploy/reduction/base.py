"""What every reduction is given and gives: packed tokens, and the row that holds each patch.

                 Packed ─▶ before_block ─▶ attention ─▶ after_attention ─▶ MLP ─▶ Packed
mpm                        merges
tome, algm                                              merge
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


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
    """Merges after attention, image by image, so that none depends on its batch.

    A member says by what tokens are compared, and which tokens of one image become one. The mean is
    weighted by the patches that each stands for.
    """

    place = "after_attention"

    def __init__(self, special_tokens: int) -> None:
        super().__init__()
        self.special_tokens = special_tokens

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        """What tokens are compared by: ``(T, C)`` and ``(T, heads, D)`` -> ``(T, F)``."""
        raise NotImplementedError

    def map_image(self, features: Tensor) -> tuple[Tensor, int]:
        """Where the tokens of one image go, special ones aside.

        Args:
            features: ``(n, F)``.

        Returns:
            The token that each goes to, ``(n,)`` int64 counted from 0 without gaps; and how many
            tokens that leaves.
        """
        raise NotImplementedError

    def kept(self, tokens: int) -> int:
        """An upper bound of what ``map_image`` leaves of at most ``tokens`` tokens."""
        return tokens

    def after_attention(self, packed: Packed, keys: Tensor) -> Packed:
        special = self.special_tokens
        features = self.features(packed.tokens, keys)
        bounds = _image_bounds(packed)
        maps = [features.new_empty(0, dtype=torch.int64)]
        merged_bounds = [0]
        for image in range(len(bounds) - 1):
            first = merged_bounds[image]
            merge_map, kept = self.map_image(features[bounds[image] + special : bounds[image + 1]])
            maps.append(torch.arange(special, device=features.device) + first)
            maps.append(merge_map + (first + special))
            merged_bounds.append(first + special + kept)
        max_length = special + self.kept(packed.max_length - special)
        return _join(packed, torch.cat(maps), merged_bounds, max_length)


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


def patch_counts(packed: Packed) -> Tensor:
    """How many patches each row stands for, ``(T,)``; special tokens count as one.

    It is float32 at least: bfloat16 has no 257, and its atomic addition no compiled form.
    """
    precise = torch.promote_types(packed.tokens.dtype, torch.float32)
    patches = packed.rows.flatten()
    ones = torch.ones(patches.shape[0], dtype=precise, device=patches.device)
    zeros = torch.zeros(packed.tokens.shape[0], dtype=precise, device=patches.device)
    return zeros.index_add(0, patches, ones).clamp(min=1)


def _image_bounds(packed: Packed) -> list[int]:
    """The offsets as numbers, read from the device only where lengths differ."""
    images, rows = packed.offsets.shape[0] - 1, packed.tokens.shape[0]
    if images == 1:
        return [0, rows]
    if rows == images * packed.max_length:
        return [image * packed.max_length for image in range(images + 1)]
    bounds: list[int] = packed.offsets.long().tolist()
    return bounds


def _join(packed: Packed, merge_map: Tensor, bounds: list[int], max_length: int) -> Packed:
    """The mean of the rows that ``merge_map (T,)`` sends to one, by the patches they stand for."""
    counts = patch_counts(packed)  # (T,)
    weighted = packed.tokens * counts[:, None]
    sums = weighted.new_zeros(bounds[-1], weighted.shape[1]).index_add(0, merge_map, weighted)
    totals = counts.new_zeros(bounds[-1]).index_add(0, merge_map, counts)
    return Packed(
        (sums / totals[:, None]).to(packed.tokens.dtype),
        torch.tensor(bounds, dtype=torch.int32, device=merge_map.device),
        max_length,
        merge_map[packed.rows],
    )

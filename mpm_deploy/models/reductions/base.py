"""Define what every reduction takes and returns: packed tokens, and the row that holds each patch.

            patches ─▶ after_embedding ─▶ before_block ─▶ attention ─▶ after_attention ─▶ MLP
cts                    merges
mpm                                       merges
tome, algm                                                             merge
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

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
        special_tokens: Rows in front of each image that hold no patch, and never merge.
    """

    tokens: Tensor
    offsets: Tensor
    max_length: int
    rows: Tensor
    special_tokens: int


class Reduction(nn.Module):
    """The merge at one block. This one does nothing; a subclass overrides the hook of its place.

    Attributes:
        place: Where it merges: ``"after_embedding"``, which is at block 0 alone,
            ``"before_block"`` or ``"after_attention"``; empty if nowhere.
    """

    place = ""

    def after_embedding(self, packed: Packed, images: Tensor, halved: Tensor) -> Packed:
        """Merge patches before the first block; return them as they are, unless overridden.

        Args:
            packed: The patches, each of which has a row.
            images: What they were cut of: ``(B, 3, H, W)``, normalized.
            halved: The patches of the images at half their size, with the positions of a grid of
                half the size, ``(B, N / 4, C)``: each stands for 2 × 2 of the others.
        """
        return packed

    def before_block(self, packed: Packed) -> Packed:
        """Merge tokens before the block; return them as they are, unless overridden."""
        return packed

    def after_attention(self, packed: Packed, keys: Tensor) -> Packed:
        """Merge tokens between attention and MLP; return them as they are, unless overridden.

        The keys ``(T, heads, D)`` are those of that attention.
        """
        return packed

    def check_patches(self, patch_size: int) -> None:
        """Refuse patches that it cannot merge.

        Args:
            patch_size: Side of a patch in pixels.

        Raises:
            ModelError: It merges patches of another size.
        """

    def initialize(self, generator: torch.Generator) -> None:
        """Draw its own weights anew, where it has any."""

    def image_flops(self) -> float:
        """Count the FLOPs of what it makes of an image itself, whatever tokens there are."""
        return 0.0

    def similarity_flops(self, width: int, head_width: int) -> float:
        """Count the FLOPs of comparing an image's tokens, divided by their number squared.

        Args:
            width: Width of a token.
            head_width: Width of a key.
        """
        return 0.0


class ImageReduction(Reduction):
    """Merges after attention within each image, so that none depends on its batch.

    A member says by what tokens are compared, and which tokens of an image become one. The mean is
    weighted by the patches that each stands for.

    Args:
        adaptive: Whether each image has its own number of tokens to keep. If not, images come with
            equal lengths and stay so, and no size depends on the data.
    """

    place = "after_attention"

    def __init__(self, adaptive: bool = True) -> None:
        super().__init__()
        self.adaptive = adaptive

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        """Return what tokens are compared by: ``(T, C)`` and ``(T, heads, D)`` -> ``(T, F)``."""
        raise NotImplementedError

    def map_images(
        self, features: Tensor, lengths: Tensor, special_tokens: int
    ) -> tuple[Tensor, Tensor]:
        """Decide where the tokens of each image go, special ones aside.

        Args:
            features: ``(B, L, F)``; rows behind the tokens of an image are not its own.
            lengths: Tokens of each image, ``(B,)`` int64.
            special_tokens: How many are in front of them.

        Returns:
            The token of its image that each goes to, ``(B, L or more)`` int64 counted from 0
            without gaps, of any value behind an image's tokens; and how many tokens that leaves,
            ``(B,)`` int64.
        """
        raise NotImplementedError

    def kept(self, tokens: int) -> int:
        """Return an upper bound of what is left of ``tokens``; the very number, if not adaptive."""
        return tokens

    def after_attention(self, packed: Packed, keys: Tensor) -> Packed:
        special, offsets = packed.special_tokens, packed.offsets.long()
        features = self._by_image(packed, self.features(packed.tokens, keys))
        image_map, kept = self.map_images(features, offsets.diff() - special, special)
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
        """Part the rows by image, without special tokens: ``(T, F)`` -> ``(B, L, F)``.

        L is static but for a lone image.
        """
        special, first = packed.special_tokens, packed.offsets[:-1, None].long()
        rows = features.shape[0]
        longest = rows if first.shape[0] == 1 else packed.max_length
        place = torch.arange(special, longest, device=features.device)  # (L,)
        return features[(first + place).clamp(max=rows - 1)]


class Method(ABC):
    """A way of merging, which makes the reductions of a schedule.

    A member of `families.REDUCTIONS` is a frozen dataclass of this kind, and its fields are the
    options that a recipe's ``[merge]`` table takes with it.

    Attributes:
        title: Its name as people write it.
        place: Where it merges, as `Reduction.place` says it.
        merges: How many blocks a schedule must have; None takes any number.
        first_block: The block that a schedule must begin with; None takes any.
        proportional_attention: Whether a key counts as often as the patches that it stands for; for
            methods that merge after attention.
        weighted_decoding: Whether a head counts a merged token as often as the patches that it
            stands for. If not, its scores are not those that the patches would have by themselves.
    """

    title: ClassVar[str]
    place: ClassVar[str]
    merges: ClassVar[int | None] = None
    first_block: ClassVar[int | None] = None
    proportional_attention: bool = False
    weighted_decoding: bool = True

    @abstractmethod
    def reductions(self, schedule: Sequence[int], grid: tuple[int, int]) -> list[Reduction]:
        """Make one reduction for each block of the schedule, in order.

        Args:
            schedule: The blocks that tokens merge at, 0-based and rising.
            grid: Patches of an image, ``(down, across)``.

        Raises:
            ModelError: The method cannot merge that often.
        """

    def scaled(self, share: float) -> Self:
        """Return the same way of merging for images that have ``share`` times as many patches.

        Only where it takes a number of tokens away that does not depend on the patches is it
        another one.
        """
        return self

    def completed(self, trained: Self) -> Self:
        """Return the same with what its options leave open as a model was trained with.

        Args:
            trained: How tokens merged in training, `scaled` to these images.
        """
        return self

    def uncounted_merges(self, merges: int) -> int:
        """Return how many of a schedule's merges leave tokens that a head counts as one each.

        They are the first ones. What later ones merge counts as often as such tokens.
        """
        return 0 if self.weighted_decoding else merges


def images_of(rows: Tensor, offsets: Tensor) -> Tensor:
    """Return the image that each packed row belongs to.

    Args:
        rows: Numbers of rows, ``(T,)`` int64.
        offsets: ``(B + 1,)`` integer.

    Returns:
        ``(T,)`` int64.
    """
    # All offsets, the first too: of a slice of them Inductor's code for a GPU finds no strides.
    return torch.bucketize(rows, offsets.long(), right=True) - 1


def patch_counts(packed: Packed) -> Tensor:
    """Count the patches that each row stands for, ``(T,)``; special tokens count as one.

    The counts are float32 at least: bfloat16 has no 257, and its atomic addition no compiled form.
    """
    precise = torch.promote_types(packed.tokens.dtype, torch.float32)
    patches = packed.rows.flatten()
    ones = torch.ones(patches.shape[0], dtype=precise, device=patches.device)
    zeros = torch.zeros(packed.tokens.shape[0], dtype=precise, device=patches.device)
    return zeros.index_add(0, patches, ones).clamp(min=1)


def token_counts(packed: Packed, earlier_map: Tensor) -> Tensor:
    """Count the tokens of an earlier merge that each row stands for, ``(T,)``, as `patch_counts`.

    Args:
        packed: The rows.
        earlier_map: The token that each patch went to by that merge, ``(B, N)`` int32.
    """
    precise = torch.promote_types(packed.tokens.dtype, torch.float32)
    earlier = earlier_map.long()
    ones = torch.ones_like(earlier, dtype=precise)
    patches = torch.zeros_like(ones).scatter_add(1, earlier, ones)  # of each earlier token
    shares = (1 / patches.clamp(min=1)).gather(1, earlier)  # (B, N), whose sum is one a token
    zeros = torch.zeros(packed.tokens.shape[0], dtype=precise, device=shares.device)
    return zeros.index_add(0, packed.rows.flatten(), shares.flatten()).clamp(min=1)


def with_tokens(packed: Packed, tokens: Tensor) -> Packed:
    """Return the same rows with other values ``(T, C)``."""
    return Packed(tokens, packed.offsets, packed.max_length, packed.rows, packed.special_tokens)


def kept_rows(kept: Tensor, special_tokens: int) -> Tensor:
    """Return the rows where ``kept (T,)`` is true, ``(T',)``; no other size depends on data."""
    rows = kept.nonzero().flatten()
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        _tell_exporter(rows.shape[0], kept.shape[0], special_tokens)
    return rows


def _tell_exporter(kept: int, rows: int, special_tokens: int) -> None:
    """Tell an exporter what it cannot know of a size that depends on the data: its bounds."""
    if torch.compiler.is_exporting():
        torch._check(kept > special_tokens)  # whoever exports a model has images with patches
        torch._check(kept <= rows)


def _join(
    packed: Packed, merge_map: Tensor, offsets: Tensor, merged_rows: int, max_length: int
) -> Packed:
    """Average the rows that ``merge_map (T,)`` sends to one, weighted by their patches."""
    counts = patch_counts(packed)  # (T,)
    weighted = packed.tokens * counts[:, None]
    sums = weighted.new_zeros(merged_rows, weighted.shape[1]).index_add(0, merge_map, weighted)
    totals = counts.new_zeros(merged_rows).index_add(0, merge_map, counts)
    tokens = (sums / totals[:, None]).to(packed.tokens.dtype)
    return Packed(tokens, offsets, max_length, merge_map[packed.rows], packed.special_tokens)

"""Do Mutual Pair Merging on packed tokens (paper, section 3 and Algorithm 1).

row             0  1  2  3  4
nearest         3  2  1  0  1      0 and 3 chose each other, so did 1 and 2; 4 stays alone
partner         3  2  1  0  4      itself where the choice was not mutual
representative  ✓  ✓  ✗  ✗  ✓      the lower row of a pair, and every single
merge map       0  1  1  0  2      the representatives counted from the left
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.errors import InputError
from mpm_deploy.models.reductions.base import Method, Packed, Reduction, kept_rows
from mpm_deploy.ops.nearest_neighbor import nearest_neighbor
from mpm_deploy.support.numbers import whole_number
from mpm_deploy.support.tensors import shown


@dataclass(frozen=True)
class Mpm(Method):
    """Merges before each block of the schedule; it has no options."""

    title = "MPM"
    place = "before_block"

    def reductions(self, schedule: Sequence[int], grid: tuple[int, int]) -> list[Reduction]:
        """Make one reduction for each block of the schedule, all alike."""
        return [MutualPairs() for _ in schedule]


class MutualPairs(Reduction):
    """Runs `merge_mutual_pairs` before a block."""

    place = "before_block"

    def before_block(self, packed: Packed) -> Packed:
        tokens, offsets, max_length, rows, special_tokens = packed
        merged, merge_map, merged_offsets = merge_mutual_pairs(
            tokens, offsets, max_length, special_tokens
        )
        return Packed(merged, merged_offsets, max_length, compose(rows, merge_map), special_tokens)

    def similarity_flops(self, width: int, head_width: int) -> float:
        return 2.0 * width  # every token with every other


def mutual_pair_merge(
    tokens: Tensor, offsets: Tensor, special_tokens: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Average every two image tokens that are each other's nearest neighbor.

    At most half of an image's tokens have a partner, so an image of ``N`` keeps at least
    ``ceil(N / 2)``. Images do not see each other: the result of one is the same in any batch.

    Args:
        tokens: Rows of all images, ``(T, C)`` floating point, finite.
        offsets: Image ``b`` owns rows ``offsets[b]:offsets[b + 1]``, ``(B + 1,)`` int32.
        special_tokens: That many first rows of each image (class token, registers) never merge.

    Returns:
        ``merged (T', C)``, the unweighted mean of one or two rows, in the order of each pair's
        lower row; ``merge_map (T,)`` int64, the row of ``merged`` that each row went to;
        ``merged_offsets (B + 1,)`` int32.

    Raises:
        InputError: Wrong shapes or types, offsets that do not cover the rows, or tokens that are
            not finite.
    """
    _check_packed(tokens, offsets, special_tokens)
    return merge_mutual_pairs(tokens, offsets, tokens.shape[0], special_tokens)


def merge_mutual_pairs(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Do what `mutual_pair_merge` does without its checks, for use inside a model.

    Args:
        tokens: ``(T, C)``.
        offsets: ``(B + 1,)`` int32.
        max_length: An upper bound of the rows an image has.
        special_tokens: First rows of each image that never merge.

    Returns:
        ``merged (T', C)``, ``merge_map (T,)`` int64, ``merged_offsets (B + 1,)`` int32.
    """
    # Detached: whom a row chooses has no gradient, and its similarities need not be kept for one.
    nearest = nearest_neighbor(tokens.detach(), offsets, max_length, special_tokens)  # (T,)
    partner, representative, kept_up_to, merge_map = mutual_pairs(nearest)

    kept = kept_rows(representative, special_tokens)  # (T',)
    first, second = tokens[kept], tokens[partner[kept]]
    single = (kept == partner[kept])[:, None]
    # Halved first: in float16 the sum of two rows may be beyond its range, their mean never is.
    merged = torch.where(single, first, first / 2 + second / 2)
    merged_offsets = functional.pad(kept_up_to, [1, 0])[offsets.long()].int()
    return merged, merge_map, merged_offsets


def mutual_pairs(nearest: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pair rows that are each other's nearest neighbor.

    Args:
        nearest: The nearest neighbor of each row, ``(T,)`` int64.

    Returns:
        The partner of each row, itself where it is alone; whether it is the first of its pair, or
        alone, bool; how many rows are kept up to it; and the row that it goes to, ``(T,)`` each.
    """
    row = torch.arange(nearest.shape[0], device=nearest.device)
    partner = torch.where(nearest[nearest] == row, nearest, row)
    representative = row <= partner
    kept_up_to = representative.int().cumsum(0)  # int: an engine of ONNX adds up no booleans
    return partner, representative, kept_up_to, kept_up_to[torch.minimum(row, partner)] - 1


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Compose the maps of two merges in a row into one (paper, equation 3).

    Args:
        first: ``(T,)`` int64 into the rows that ``second`` maps.
        second: ``(T',)`` int64.

    Returns:
        ``(T,)`` int64.
    """
    return second[first]


def reconstruct(merged: Tensor, merge_map: Tensor) -> Tensor:
    """Give every original row the merged row it went to (paper, equation 4).

    Args:
        merged: ``(T', ...)``.
        merge_map: ``(T,)`` int64.

    Returns:
        ``(T, ...)``, copies.
    """
    return merged[merge_map]


def _check_packed(tokens: Any, offsets: Any, special_tokens: Any) -> None:
    if not isinstance(tokens, Tensor) or tokens.dim() != 2 or not tokens.is_floating_point():
        raise InputError(f"tokens: expected (T, C) floating point, got {shown(tokens)}")
    is_list = isinstance(offsets, Tensor) and offsets.dim() == 1 and offsets.shape[0] > 0
    if not is_list or offsets.dtype != torch.int32:
        raise InputError(f"offsets: expected (B + 1,) torch.int32, got {shown(offsets)}")
    bounds = offsets.tolist()
    if bounds[0] != 0 or bounds[-1] != tokens.shape[0] or bounds != sorted(bounds):
        raise InputError(
            f"offsets: expected to rise from 0 to the {tokens.shape[0]} rows of tokens, "
            f"got {bounds if len(bounds) <= 8 else [*bounds[:4], '...', *bounds[-3:]]}"
        )
    whole_number("special_tokens", special_tokens, least=0)
    if not bool(tokens.isfinite().all()):
        row = int((~tokens.isfinite().all(dim=1)).nonzero()[0])
        raise InputError(
            f"tokens: row {row} holds NaN or infinity, which has no nearest neighbor",
            "look at what made the tokens: weights that overflow, or an input outside its range",
        )

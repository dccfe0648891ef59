"""Merge mutual pairs into a buffer that is as long as what it merges.

row             0  1  2  3  4
partner         3  2  1  0  4      itself where a row is alone
merge map       0  1  1  0  2      pairs and single rows counted from the left
buffer          m₀₃ m₁₂ m₄ 0  0    both rows of a pair write the same mean to its place
kept            3
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.reductions.mpm import mutual_pairs
from mpm_deploy.ops.nearest_neighbor.static import nearest_neighbor


class MergedRows(NamedTuple):
    """The rows of an image after a merge.

    Args:
        tokens: ``(T, C)``, of which the first ``kept`` rows hold merged tokens, and the others 0.
        kept: How many rows are left, ``(1,)`` int32.
        rows: The row that holds each patch, ``(1, N)`` int64.
    """

    tokens: Tensor
    kept: Tensor
    rows: Tensor


def merge_into_buffer(packed: Packed) -> MergedRows:
    """Do what `merge_mutual_pairs` does to one image, without a size that depends on its values."""
    tokens = packed.tokens
    nearest = nearest_neighbor(tokens, packed.offsets, packed.max_length, packed.special_tokens)
    partner, _, kept_up_to, merge_map = mutual_pairs(nearest)  # (T,) each

    row = torch.arange(tokens.shape[0], device=tokens.device)
    is_single = (row == partner)[:, None]
    halves = tokens / 2  # first, as a sum of two rows may be beyond float16's range
    mean = torch.where(is_single, tokens, halves + halves[partner])
    buffer = torch.zeros_like(tokens).index_put((merge_map,), mean)
    return MergedRows(buffer, kept_up_to[-1:].int(), merge_map[packed.rows])

"""Find nearest neighbors in one image by operators whose sizes no value decides.

It is for engines that take neither `nonzero` nor a search in sorted rows: every size in their
graphs follows from the sizes of the inputs.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.ops.inner_products import inner_products

_NEVER, _ITSELF = -4.0, -2.0  # below every cosine; a lone row finds itself
_NO_ROW = 1 << 30  # above every row's number
_WHOLE = 2.0**30  # what 1 is in whole numbers
_PRIME, _ROOTS = 131_071, (3, 6)  # whose powers are every number below it, in mixed orders
_MIXED = 1000  # from which power on they look like random ones


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Find nearest neighbors; arguments and result are those of `reference.nearest_neighbor`.

    There is one image, of one row at least, whatever ``offsets`` say.
    """
    unit = functional.normalize(tokens.float(), dim=-1)  # (T, C); zero rows stay zero
    row = torch.arange(tokens.shape[0], device=tokens.device)
    is_special = row < special_tokens
    is_itself = row[:, None] == row
    similarity = inner_products(unit, unit)  # (T, T), float32 whatever the tokens are
    similarity = torch.where(is_itself, _ITSELF, similarity)
    similarity = torch.where(is_special, _NEVER, similarity)
    nearest = similarity.argmax(dim=1)  # of equals an engine may find any
    nearest = _lowest_equal(unit, nearest, is_itself | is_special)
    return torch.where(is_special, row, nearest)


def _lowest_equal(rows: Tensor, found: Tensor, is_barred: Tensor) -> Tensor:
    """Replace the row found for each by the lowest that equals it and is not barred.

    Rows are told apart by two sums of their channels in whole 2⁻³⁰, each with a factor of its own.
    Engines sum whole numbers of 64 bits in floating point, which is exact below 2⁵³: these sums
    stay there, up to 2048 channels.

    Args:
        rows: ``(T, C)`` float32, of length 1.
        found: ``(T,)`` int64.
        is_barred: ``(T, T)`` bool: the rows that must not be found, for each row.

    Returns:
        ``(T,)`` int64.
    """
    whole = (rows * _WHOLE).long()
    equal = ~is_barred
    for root in _ROOTS:
        factors = torch.tensor(_factors(root, rows.shape[1]), device=rows.device)  # (C,)
        sums = (whole * factors).sum(dim=1)  # (T,)
        equal = equal & (sums[found][:, None] == sums)
    row = torch.arange(rows.shape[0], device=rows.device)
    # Not the place of the greatest, of which engines need not give the lowest.
    lowest = torch.where(equal, row, _NO_ROW).amin(dim=1)
    return torch.where(lowest < _NO_ROW, lowest, found)


def _factors(root: int, count: int) -> list[int]:
    return [pow(root, power, _PRIME) for power in range(_MIXED, _MIXED + count)]

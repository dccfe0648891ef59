"""Find the edges from one set of tokens to another that ToMe and ALGM merge along.

token        0  1  2  3  4  5  6      A: every other one from the first, B: the rest; where an odd
set          A  B  A  B  A  B  A      number of special tokens is in front, A and B change places
match        1     5     3     5      for each of A the most similar of B
merging      ✓     ✗     ✗     ✓      chosen by the method
merge map    2  2  0  3  1  4  4      what is left of A, then B
"""

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.ops.inner_products import inner_products


def best_matches(features: Tensor, lengths: Tensor, special_tokens: int) -> tuple[Tensor, Tensor]:
    """Find for each token of A the most cosine-similar one of B, the first of equals.

    Similarities are float32, and those within 1e-6 of 1 are equal: less than that, a sum does not
    tell apart.

    Args:
        features: ``(B, L, F)``, without special tokens.
        lengths: Tokens of each image, ``(B,)``.
        special_tokens: How many are in front of them; sets are told apart from the first of these.

    Returns:
        Similarities and places in B, ``(B, ceil(L / 2))`` float32 and int64. Where an image has no
        such edge its similarity is minus infinity.
    """
    unit = functional.normalize(features.float(), dim=-1)
    even, odd = unit[:, 0::2], functional.pad(unit, [0, 0, 0, 1])[:, 1::2]  # as many of each
    first = special_tokens % 2  # of A
    from_a, to_b = (odd, even) if first == 1 else (even, odd)
    place = 2 * torch.arange(even.shape[1], device=unit.device)
    similarity = _products(from_a, to_b)  # (B, |A|, |B|)
    similarity.clamp_(max=1 - 2.0**-20)
    similarity.masked_fill_((place + 1 - first >= lengths[:, None])[:, None], -float("inf"))
    best, match = similarity.max(dim=2)
    return best.masked_fill(place + first >= lengths[:, None], -float("inf")), match


def _products(rows: Tensor, others: Tensor) -> Tensor:
    """Compute `inner_products` in each image: ``(B, n, F)``, ``(B, m, F)`` -> ``(B, n, m)``."""
    if rows.shape[0] == 1:
        return inner_products(rows[0], others[0])[None]
    return rows @ others.transpose(1, 2)


def ranks(similarity: Tensor) -> Tensor:
    """Number each row from its largest value on, of equals the first: ``(B, N)`` -> int64."""
    best_first = torch.sort(similarity, stable=True, dim=1, descending=True)[1]
    places = torch.arange(best_first.shape[1], device=best_first.device).expand_as(best_first)
    return torch.zeros_like(best_first).scatter(1, best_first, places)


def in_order(merging: Tensor) -> Tensor:
    """Number those of A that do not merge, in their order: ``(B, |A|)`` bool -> int64."""
    return (~merging).cumsum(1) - 1


def bipartite_map(
    match: Tensor, merging: Tensor, left: Tensor, lengths: Tensor, special_tokens: int
) -> tuple[Tensor, Tensor]:
    """Decide where each token goes when some of A merge along their edges.

    Args:
        match: The place in B that each of A has its edge to, ``(B, |A|)`` int64.
        merging: Which of A merge, ``(B, |A|)`` bool.
        left: The place of each of the others among what is left of A, ``(B, |A|)`` int64.
        lengths: How many an image has in A and B together, ``(B,)`` int64.
        special_tokens: As for `best_matches`.

    Returns:
        ``(B, 2 |A|)`` int64: what is left of A in front, then B in order; and how many tokens that
        leaves, ``(B,)`` int64.
    """
    first = special_tokens % 2
    kept = lengths - merging.sum(dim=1)
    front = (kept - (lengths + first) // 2)[:, None]
    from_a = torch.where(merging, front + match, left)
    from_b = front + torch.arange(match.shape[1], device=match.device)
    both = [from_b, from_a] if first == 1 else [from_a, from_b]
    return torch.stack(both, dim=2).flatten(1), kept

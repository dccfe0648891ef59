"""Find the edges from one set of tokens to another that ToMe and ALGM merge along.

token        0  1  2  3  4  5  6      A: every other one from the first, B: the rest
set          A  B  A  B  A  B  A
match        1     5     3     5      for each of A the most similar of B
merging      ✓     ✗     ✗     ✓      chosen by the method
merge map    2  2  0  3  1  4  4      what is left of A, then B
"""

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.ops.inner_products import inner_products


def best_matches(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Find for each token of A the most cosine-similar one of B, the first of equals.

    Similarities are float32, and those within 1e-6 of 1 are equal: less than that, a sum does not
    tell apart.

    Args:
        features: ``(B, L, F)``.
        lengths: Tokens of each image, ``(B,)``.

    Returns:
        Similarities and places in B, ``(B, ceil(L / 2))`` float32 and int64. Where an image has no
        such edge its similarity is minus infinity.
    """
    unit = functional.normalize(features.float(), dim=-1)
    from_a, to_b = unit[:, 0::2], functional.pad(unit, [0, 0, 0, 1])[:, 1::2]  # as many of each
    place = torch.arange(from_a.shape[1], device=unit.device)
    similarity = _products(from_a, to_b)  # (B, |A|, |B|)
    similarity.clamp_(max=1 - 2.0**-20)
    similarity.masked_fill_((2 * place + 1 >= lengths[:, None])[:, None], -float("inf"))
    best, match = similarity.max(dim=2)
    return best.masked_fill(2 * place >= lengths[:, None], -float("inf")), match


def _products(rows: Tensor, others: Tensor) -> Tensor:
    """Compute `inner_products` in each image: ``(B, n, F)``, ``(B, m, F)`` -> ``(B, n, m)``."""
    if rows.shape[0] == 1:
        return inner_products(rows[0], others[0])[None]
    return rows @ others.transpose(1, 2)


def bipartite_map(match: Tensor, merging: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Decide where each token goes when some of A merge along their edges.

    Args:
        match: The place in B that each of A has its edge to, ``(B, |A|)`` int64.
        merging: Which of A merge, ``(B, |A|)`` bool.
        lengths: How many an image has in A and B together, ``(B,)`` int64.

    Returns:
        ``(B, 2 |A|)`` int64: what is left of A in front, then B, each in order; and how many tokens
        that leaves, ``(B,)`` int64.
    """
    kept = lengths - merging.sum(dim=1)
    front = (kept - lengths // 2)[:, None]
    from_a = torch.where(merging, front + match, (~merging).cumsum(1) - 1)
    from_b = front + torch.arange(match.shape[1], device=match.device)
    return torch.stack([from_a, from_b], dim=2).flatten(1), kept

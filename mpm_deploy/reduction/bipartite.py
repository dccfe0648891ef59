"""Two sets of tokens and an edge from each of one to the other: what ToMe and ALGM merge along.

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


def best_matches(features: Tensor) -> tuple[Tensor, Tensor]:
    """For each token of A the most cosine-similar one of B, the first of equals.

    Similarities are float32, and those within 1e-6 of 1 are equal, as in `ops.nearest_neighbor`.

    Args:
        features: ``(n, F)`` of one image, two tokens at least.

    Returns:
        Similarities and places in B, ``(ceil(n / 2),)`` float32 and int64.
    """
    unit = functional.normalize(features.float(), dim=-1)
    similarity = inner_products(unit[0::2], unit[1::2])  # (|A|, |B|)
    similarity.clamp_(max=1 - 2.0**-20)
    match = similarity.argmax(dim=1)
    return similarity.gather(1, match[:, None])[:, 0], match


def bipartite_map(match: Tensor, merging: Tensor, tokens: int) -> Tensor:
    """Where each token goes when some of A merge along their edges.

    Args:
        match: The place in B that each of A has its edge to, ``(|A|,)`` int64.
        merging: Which of A merge, ``(|A|,)`` bool.
        tokens: How many there are in A and B together.

    Returns:
        ``(tokens,)`` int64: what is left of A in front, then B, each in order.
    """
    staying = ~merging
    front = staying.sum()
    merge_map = torch.empty(tokens, dtype=torch.int64, device=match.device)
    merge_map[0::2] = torch.where(merging, front + match, staying.cumsum(0) - 1)
    merge_map[1::2] = front + torch.arange(tokens // 2, device=match.device)
    return merge_map

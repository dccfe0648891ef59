"""Compute attention on a CPU, head after head, as two products with a softmax between them.

    products = q kᵀ ─▶ weights = exp(scores − largest) ─▶ weights v / Σ weights
    (n, D) (D, n)      (n, n)                                    (n, D)

The scores of one head are 4 MB at 1,024 tokens in float32 and stay in the caches, where those of
all heads would not. A fused kernel never stores them, but PyTorch's multiplies by MKL, which is
made for processors of Intel. On one of AMD this takes half its time in float32 and a third in
bfloat16; on one of Intel with AMX, 1.02 to 1.6 times its time in float32 and 1.06 to 2.1 times in
bfloat16 (3 and 12 heads of 64, 250 to 1,129 rows, one core and two).
"""

from itertools import pairwise

import torch
from torch import Tensor

from mpm_deploy.ops.attention.weights import attention_weights
from mpm_deploy.ops.inner_products import inner_products


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention in each image; arguments and result are those of `reference.attention`."""
    if offsets.shape[0] == 2:  # one image: no size has to be read from the offsets
        return _attend(q, k, v, key_log_weight)
    attended = torch.empty_like(q)  # (T, heads, D)
    bounds = offsets.tolist()
    for start, stop in pairwise(bounds):
        rows = slice(start, stop)
        weight = None if key_log_weight is None else key_log_weight[rows]
        if start < stop:
            attended[rows] = _attend(q[rows], k[rows], v[rows], weight)
    return attended


def _attend(q: Tensor, k: Tensor, v: Tensor, key_log_weight: Tensor | None) -> Tensor:
    """Compute the attention of one image that has rows: ``(n, heads, D)``, also the result."""
    heads = zip(q.unbind(1), k.unbind(1), v.unbind(1), strict=True)
    return torch.stack([_attend_head(*head, key_log_weight) for head in heads], dim=1)


def _attend_head(q: Tensor, k: Tensor, v: Tensor, key_log_weight: Tensor | None) -> Tensor:
    """Compute the attention of one head of one image: ``(n, D)``, also the result."""
    scores = inner_products(q, k)  # (n, n)
    weights, sums = attention_weights(scores, q.shape[1] ** -0.5, key_log_weight)
    # Divided at the end, by the sum before rounding: D divisions a row, and not n.
    return (inner_products(weights, v.t()) / sums).to(v.dtype)

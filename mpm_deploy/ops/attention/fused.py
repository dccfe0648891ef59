"""Compute attention on a CPU in a compiled model, by a kernel that the file holds.

It takes packed rows where the layer before wrote them, keeps no scores, and weighs keys at no cost.
PyTorch's fused kernel multiplies in float32 by MKL, which on processors of AMD is slow, and takes a
softmax in bfloat16 that costs more than both its products.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.attention import reference

_DTYPES = (torch.float32, torch.bfloat16)  # that the kernel has


def suits(q: Tensor) -> bool:
    """Tell whether there is a kernel for such queries."""
    return q.dtype in _DTYPES


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention in each image; arguments and result are those of `reference.attention`."""
    weights = None if key_log_weight is None else key_log_weight.float().contiguous()
    attended: Tensor = _operator(q, k, v, offsets, weights)
    return attended


@torch.library.custom_op("mpm::attention", mutates_args=())
def _operator(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, key_log_weight: Tensor | None
) -> Tensor:
    return reference.attention(q, k, v, offsets, q.shape[0], key_log_weight)


@_operator.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, key_log_weight: Tensor | None) -> Tensor:
    return q.new_empty(q.shape)

"""Choose the version of attention over packed tokens that a model gets.

CPU, eager or scripted    reference
CPU, in our files         fused
GPU                       flash
"""

import torch
from torch import Tensor

from mpm_deploy.ops.attention import flash, fused, reference
from mpm_deploy.ops.own_kernels import calls_kernels


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention like `reference.attention`, in the version that suits the device."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        if q.device.type == "cuda":
            return flash.attention(q, k, v, offsets, max_length, key_log_weight)
        if calls_kernels(q.device) and fused.suits(q):
            return fused.attention(q, k, v, offsets, max_length, key_log_weight)
    return reference.attention(q, k, v, offsets, max_length, key_log_weight)

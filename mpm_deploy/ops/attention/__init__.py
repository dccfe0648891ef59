"""Choose the version of attention over packed tokens that a model gets.

CPU, eager or scripted            reference
CPU, compiled, one of Intel's     reference, which is one fused kernel for an image
CPU, compiled, another            per_head
GPU                               flash
"""

import torch
from torch import Tensor

from mpm_deploy.ops.attention import flash, per_head, reference
from mpm_deploy.support.processor import is_intel


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention like `reference.attention`, in the version that suits the device.

    It uses flash kernels on a GPU. Compiled for a CPU it goes head by head, but not on Intel's,
    where the library in PyTorch's fused kernel multiplies as fast as any.
    """
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        if q.device.type == "cuda":
            return flash.attention(q, k, v, offsets, max_length, key_log_weight)
        if torch.compiler.is_exporting() and not is_intel():
            return per_head.attention(q, k, v, offsets, max_length, key_log_weight)
    return reference.attention(q, k, v, offsets, max_length, key_log_weight)

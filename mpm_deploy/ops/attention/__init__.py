"""Choose the version of attention over packed tokens that a model gets.

                CPU, eager    CPU, compiled    GPU
attention       reference     per_head         flash
"""

import torch
from torch import Tensor

from mpm_deploy.ops.attention import flash, per_head, reference


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention like `reference.attention`, in the version that suits the device.

    It uses flash kernels on a GPU, and goes head by head where it is compiled for a CPU.
    """
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        if q.device.type == "cuda":
            return flash.attention(q, k, v, offsets, max_length, key_log_weight)
        if torch.compiler.is_exporting():
            return per_head.attention(q, k, v, offsets, max_length, key_log_weight)
    return reference.attention(q, k, v, offsets, max_length, key_log_weight)

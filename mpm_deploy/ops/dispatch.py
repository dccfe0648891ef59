"""Which version of an operation a model gets: the plain one, unless another is known to win."""

import torch
from torch import Tensor

from mpm_deploy.ops.attention import attention as plain_attention
from mpm_deploy.ops.by_head import attention as attention_by_head


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """As the plain version; exported for a CPU, head by head."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        compiled_for_cpu = torch.compiler.is_exporting() and q.device.type == "cpu"
        if compiled_for_cpu:
            return attention_by_head(q, k, v, offsets, max_length, key_log_weight)
    return plain_attention(q, k, v, offsets, max_length, key_log_weight)

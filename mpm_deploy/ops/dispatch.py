"""Which version of an operation a model gets: the plain one, unless another is known to win.

                    CPU, eager    CPU, compiled    GPU
attention           plain         by_head          varlen
nearest_neighbor    plain         plain            streaming
"""

import torch
from torch import Tensor

from mpm_deploy.ops.attention import attention as plain_attention
from mpm_deploy.ops.by_head import attention as attention_by_head
from mpm_deploy.ops.nearest_neighbor import nearest_neighbor as plain_nearest_neighbor
from mpm_deploy.ops.varlen import attention as varlen_attention


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """As the plain version: varlen on a GPU, and head by head where compiled for a CPU."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        if q.device.type == "cuda":
            return varlen_attention(q, k, v, offsets, max_length, key_log_weight)
        if torch.compiler.is_exporting():
            return attention_by_head(q, k, v, offsets, max_length, key_log_weight)
    return plain_attention(q, k, v, offsets, max_length, key_log_weight)


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """As the plain version: streaming on a GPU."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _nearest_neighbor(tokens, offsets, max_length, special_tokens)
    return plain_nearest_neighbor(tokens, offsets, max_length, special_tokens)


def _nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int
) -> Tensor:
    """What no script sees: it reads imports, of what is not there on every machine."""
    if tokens.device.type != "cuda":
        return plain_nearest_neighbor(tokens, offsets, max_length, special_tokens)
    # Triton comes with PyTorch's builds for CUDA, and only with those.
    from mpm_deploy.ops.streaming import nearest_neighbor as streaming

    return streaming(tokens, offsets, max_length, special_tokens)

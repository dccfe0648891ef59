"""Compute attention's softmax up to the division: what each query takes of each key's value."""

import torch
from torch import Tensor

_DTYPES = (torch.float32, torch.bfloat16)  # that the kernel has


def attention_weights(
    scores: Tensor, scale: float, key_log_weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Compute the exponentials of a head's scores, and their sums.

    While a model is exported for a CPU this is an operator of its own: a compiler's loops for it
    take up to a quarter of a ViT-T's time, the kernel in ``backends/aotinductor/kernels`` half of
    that or less.

    Args:
        scores: Queries times keys, not scaled yet, ``(n, m)``.
        scale: The factor that scores are multiplied by.
        key_log_weight: Added to every query's scaled scores, ``(m,)`` float32; None is zeros.

    Returns:
        The weights ``(n, m)``, of the scores' dtype, the largest of each row 1; and the sum of each
        row before it was rounded, ``(n, 1)``, float32 or wider.
    """
    on_cpu = scores.device.type == "cpu" and scores.dtype in _DTYPES
    if torch.compiler.is_exporting() and on_cpu:
        weights, sums = _operator(scores, scale, key_log_weight)
        return weights, sums
    return _weigh(scores, scale, key_log_weight)


def _weigh(scores: Tensor, scale: float, key_log_weight: Tensor | None) -> tuple[Tensor, Tensor]:
    scaled = scores.to(torch.promote_types(scores.dtype, torch.float32)) * scale
    if key_log_weight is not None:
        scaled = scaled + key_log_weight
    weights = torch.exp(scaled - scaled.amax(dim=1, keepdim=True))
    return weights.to(scores.dtype), weights.sum(dim=1, keepdim=True)


@torch.library.custom_op("mpm::attention_weights", mutates_args=())
def _operator(scores: Tensor, scale: float, key_log_weight: Tensor | None) -> tuple[Tensor, Tensor]:
    return _weigh(scores, scale, key_log_weight)


@_operator.register_fake
def _(scores: Tensor, scale: float, key_log_weight: Tensor | None) -> tuple[Tensor, Tensor]:
    precise = torch.promote_types(scores.dtype, torch.float32)
    weights = scores.new_empty(scores.shape[0], scores.shape[1])
    return weights, scores.new_empty(scores.shape[0], 1, dtype=precise)

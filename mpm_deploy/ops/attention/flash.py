"""Compute attention on a GPU, by the kernels inside PyTorch that take packed rows as they are.

    bfloat16, float16   FlashAttention-2               aten._flash_attention_forward
    float32             memory-efficient attention     aten._efficient_attention_forward

Neither takes a bias beside packed rows, so the weights of keys ride along as columns of the product
that it makes anyway, in two parts, as bfloat16 holds 8 bits of a number::

    q · k * scale + log_weight  =  [q, 1, 1] · [k, high, low] * scale
    log_weight / scale  =  high + low
"""

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.nn import functional

_ADDED_COLUMNS = 8  # two are in use: the kernels want multiples of 8, and q, k and v of one width


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute attention within each image; arguments and result are those of `reference.attention`.

    No size is read from ``offsets``, so nothing waits for the device. Before the first merge, where
    all images have one length, the kernel is not told where they begin.
    """
    images, width = offsets.shape[0] - 1, q.shape[2]
    scale = width**-0.5
    if key_log_weight is not None:
        q, k, v = _with_weights(q, k, v, key_log_weight / scale)
    forward = _flash if q.dtype in (torch.bfloat16, torch.float16) else _efficient
    if statically_known_true(q.shape[0] == images * max_length):
        dense = (images, max_length, q.shape[1], q.shape[2])
        attended = forward(q.view(dense), k.view(dense), v.view(dense), None, max_length, scale)
    else:
        attended = forward(q, k, v, offsets, max_length, scale)
    return attended.reshape(q.shape)[..., :width]  # (T, heads, D)


def _with_weights(q: Tensor, k: Tensor, v: Tensor, added: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Add columns to q, k and v, so that ``added (T,)`` is added to the products of each key.

    Each of the three is ``(T, heads, D)`` and becomes ``(T, heads, D + 8)``.
    """
    high = added.to(k.dtype)
    low = (added - high.to(added.dtype)).to(k.dtype)
    parts = torch.stack([high, low], dim=1)[:, None].expand(-1, k.shape[1], -1)  # (T, heads, 2)
    rest = _ADDED_COLUMNS - 2
    ones = torch.ones_like(parts)
    return (
        torch.cat([q, functional.pad(ones, [0, rest])], dim=2),
        torch.cat([k, functional.pad(parts, [0, rest])], dim=2),
        functional.pad(v, [0, _ADDED_COLUMNS]),
    )


def _flash(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor | None, max_length: int, scale: float
) -> Tensor:
    """Run FlashAttention-2, and return a tensor of the shape of ``q``.

    Rows are packed ``(T, heads, D)`` with offsets, or dense ``(B, n, heads, D)`` without.
    """
    # By keyword where the schema grew between torch 2.11 and 2.15.
    outputs = torch.ops.aten._flash_attention_forward(
        q, k, v, offsets, offsets, max_length, max_length, 0.0, False, False, scale=scale
    )
    attended: Tensor = outputs[0]
    return attended


def _efficient(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor | None, max_length: int, scale: float
) -> Tensor:
    """Run memory-efficient attention on what `_flash` takes.

    Packed rows are a batch of one to this kernel, and come back as one.
    """
    if offsets is not None:
        q, k, v = q[None], k[None], v[None]
    length = None if offsets is None else max_length
    no_dropout, no_mask, no_gradient = 0.0, 0, False
    outputs = torch.ops.aten._efficient_attention_forward(
        *(q, k, v, None, offsets, offsets, length, length, no_dropout, no_mask, no_gradient),
        scale=scale,
    )
    attended: Tensor = outputs[0]
    return attended

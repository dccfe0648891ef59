"""Compute attention over packed tokens, where every image attends to its own rows only."""

import torch
from torch import Tensor
from torch.nn import functional


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    max_length: int,
    key_log_weight: Tensor | None = None,
) -> Tensor:
    """Compute scaled dot-product attention within each image of a packed batch.

    Rows that all have one length are one dense call; ragged rows are one call an image, without
    padding and without a mask::

        offsets = [0, 4, 7]      rows  0 1 2 3 | 4 5 6
                                       image 0 | image 1

    Args:
        q: Queries ``(T, heads, D)``.
        k: Keys ``(T, heads, D)``.
        v: Values ``(T, heads, D)``.
        offsets: Where each image begins, ``(B + 1,)`` int32.
        max_length: An upper bound of the rows an image has; where ``T == B * max_length`` all have
            exactly that many.
        key_log_weight: ``(T,)``, added to every score of that key: ``log c`` makes one key count
            as ``c`` equal ones, so that merged tokens can be attended as if they were not.

    Returns:
        ``(T, heads, D)``, in the dtype of ``q``.
    """
    images = offsets.shape[0] - 1
    if images == 1 or q.shape[0] == images * max_length:
        return _attention_of_equal_lengths(q, k, v, images, key_log_weight)

    bounds: list[int] = offsets.long().tolist()
    attended = torch.empty_like(q)  # (T, heads, D)
    for image in range(images):
        start, stop = bounds[image], bounds[image + 1]
        weight: Tensor | None = None
        if key_log_weight is not None:
            weight = key_log_weight[start:stop]
        attended[start:stop] = _attention_of_equal_lengths(
            q[start:stop], k[start:stop], v[start:stop], 1, weight
        )
    return attended


def _attention_of_equal_lengths(
    q: Tensor, k: Tensor, v: Tensor, images: int, key_log_weight: Tensor | None
) -> Tensor:
    rows, heads, width = q.shape[0], q.shape[1], q.shape[2]
    length = rows // images
    bias: Tensor | None = None
    if key_log_weight is not None:
        bias = key_log_weight.to(q.dtype).reshape(images, 1, 1, length)  # alike for every query
    attended = functional.scaled_dot_product_attention(
        q.reshape(images, length, heads, width).transpose(1, 2),  # (B, heads, n, D)
        k.reshape(images, length, heads, width).transpose(1, 2),
        v.reshape(images, length, heads, width).transpose(1, 2),
        attn_mask=bias,
    )
    return attended.transpose(1, 2).reshape(rows, heads, width)

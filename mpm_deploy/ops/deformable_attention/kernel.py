"""Attend by an operator of its own, for which a compiled model holds a kernel.

A compiler writes the sampling of a grid out: every channel of each of a point's four neighbors is
looked up by itself. The kernel, in ``backends/aotinductor/kernels``, reads a head's channels of a
neighbor at once, where they lie.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.deformable_attention import reference

_DTYPES = (torch.float32, torch.bfloat16)  # that the kernel has


def suits(values: Tensor, locations: Tensor) -> bool:
    """Tell whether there is a kernel for such cells and points."""
    return values.dtype in _DTYPES and locations.dtype == torch.float32


def deformable_attention(
    values: Tensor, grids: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Attend; arguments and result are those of `reference.deformable_attention`."""
    sides = [side for grid in grids for side in grid]
    weights = weights.to(values.dtype).contiguous()
    attended: Tensor = _operator(values.contiguous(), sides, locations.contiguous(), weights)
    return attended


@torch.library.custom_op("mpm::deformable_attention", mutates_args=())
def _operator(values: Tensor, sides: list[int], locations: Tensor, weights: Tensor) -> Tensor:
    grids = list(zip(sides[::2], sides[1::2], strict=True))
    attended = reference.deformable_attention(values, grids, locations, weights)
    return attended.contiguous()


@_operator.register_fake
def _(values: Tensor, sides: list[int], locations: Tensor, weights: Tensor) -> Tensor:
    images, queries, heads = locations.shape[:3]
    return values.new_empty(images, queries, heads, values.shape[3])

"""Blend by an operator of its own, for which a compiled model holds a kernel.

A compiler fuses the nine shifts of `shifts` with what made the cells, and computes the activation
of each place nine times over. The kernel, in ``backends/aotinductor/kernels``, reads each cell
where it lies.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.blending import reference

_DTYPES = (torch.float32, torch.bfloat16)  # that the kernel has


def suits(cells: Tensor) -> bool:
    """Tell whether there is a kernel for such cells."""
    return cells.dtype in _DTYPES


def blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Blend; arguments and result are those of `reference.blend`."""
    by_direction = weight[:, 0].permute(1, 2, 0).contiguous()  # (3, 3, C)
    blended: Tensor = _operator(cells.contiguous(), by_direction)
    return blended


@torch.library.custom_op("mpm::blend", mutates_args=())
def _operator(cells: Tensor, by_direction: Tensor) -> Tensor:
    weight = by_direction.permute(2, 0, 1)[:, None]  # (C, 1, 3, 3)
    return reference.blend(cells, weight).contiguous()


@_operator.register_fake
def _(cells: Tensor, by_direction: Tensor) -> Tensor:
    images, down, across, width = cells.shape
    return cells.new_empty(images, 2 * down, 2 * across, width // 4)

"""Choose the version of deformable attention that a model gets.

CPU, in our files    kernel
anything else        reference
"""

import torch
from torch import Tensor

from mpm_deploy.ops.deformable_attention import kernel, reference
from mpm_deploy.ops.own_kernels import calls_kernels


def deformable_attention(
    values: Tensor, grids: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Attend like `reference.deformable_attention`, in the version that suits how it runs."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _deformable_attention(values, grids, locations, weights)
    return reference.deformable_attention(values, grids, locations, weights)


def _deformable_attention(
    values: Tensor, grids: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Choose the version where TorchScript does not look."""
    if calls_kernels(values.device) and kernel.suits(values, locations):
        return kernel.deformable_attention(values, grids, locations, weights)
    return reference.deformable_attention(values, grids, locations, weights)

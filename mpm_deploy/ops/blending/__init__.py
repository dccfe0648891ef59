"""Choose the version of blending that a model gets.

CPU, in our files         kernel
exported otherwise        shifts
eager or scripted         reference
"""

import torch
from torch import Tensor

from mpm_deploy.ops.blending import kernel, reference, shifts
from mpm_deploy.ops.own_kernels import calls_kernels


def blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Blend like `reference.blend`, in the version that suits how the model runs."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _blend(cells, weight)
    return reference.blend(cells, weight)


def _blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Choose the version where TorchScript does not look."""
    if calls_kernels(cells.device) and kernel.suits(cells):
        return kernel.blend(cells, weight)
    if torch.compiler.is_exporting():
        return shifts.blend(cells, weight)
    return reference.blend(cells, weight)

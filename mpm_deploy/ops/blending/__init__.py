"""Choose the version of blending that a model gets.

CPU, eager or scripted    reference
CPU, compiled             kernel
GPU, compiled             shifts
"""

import torch
from torch import Tensor

from mpm_deploy.ops.blending import kernel, reference, shifts


def blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Blend like `reference.blend`, in the version that suits how the model runs."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _blend(cells, weight)
    return reference.blend(cells, weight)


def _blend(cells: Tensor, weight: Tensor) -> Tensor:
    """Choose the version where TorchScript does not look."""
    if not torch.compiler.is_exporting():
        return reference.blend(cells, weight)
    if kernel.suits(cells):
        return kernel.blend(cells, weight)
    return shifts.blend(cells, weight)

"""Choose the version of GELU that a model gets.

CPU, in our files, bfloat16    kernel
anything else                  reference
"""

import torch
from torch import Tensor

from mpm_deploy.ops.gelu import kernel, reference
from mpm_deploy.ops.own_kernels import calls_kernels


def gelu(rows: Tensor) -> Tensor:
    """Compute GELU like `reference.gelu`, in the version that suits how the model runs."""
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _gelu(rows)
    return reference.gelu(rows)


def _gelu(rows: Tensor) -> Tensor:
    """Choose the version where TorchScript does not look."""
    if calls_kernels(rows.device) and kernel.suits(rows):
        return kernel.gelu(rows)
    return reference.gelu(rows)

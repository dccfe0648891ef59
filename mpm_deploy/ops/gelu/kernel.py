"""Compute GELU in bfloat16 by an operator of its own, for which a compiled model holds a kernel.

oneDNN computes it to float32's accuracy as part of the layer before, and for a ViT-T takes as long
for it as for the layer. The kernel, in ``backends/aotinductor/kernels``, takes a polynomial that is
2e-4 from the truth at most, or 4e-5 of it; bfloat16 keeps 4e-3 of a 1.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.gelu import reference


def suits(rows: Tensor) -> bool:
    """Tell whether there is a kernel for such rows."""
    return rows.dtype == torch.bfloat16 and rows.dim() > 1


def gelu(rows: Tensor) -> Tensor:
    """Compute GELU of ``(..., M)`` bfloat16; argument and result are those of `reference.gelu`."""
    result: Tensor = _operator(rows.contiguous().flatten(0, -2))  # the kernel's are (T, M)
    return result.view(rows.shape)


@torch.library.custom_op("mpm::gelu", mutates_args=())
def _operator(rows: Tensor) -> Tensor:
    return reference.gelu(rows)


@_operator.register_fake
def _(rows: Tensor) -> Tensor:
    return rows.new_empty(rows.shape)

"""Look bytes up by an operator of its own, for which a compiled model holds a kernel.

A compiler's loop loads one entry after another. The kernel, in ``backends/aotinductor/kernels``,
holds the whole table in four registers where a processor can permute bytes among them.
"""

import torch
from torch import Tensor

from mpm_deploy.ops.byte_table import reference


def look_up(values: Tensor, table: Tensor) -> Tensor:
    """Look bytes up; arguments and result are those of `reference.look_up`."""
    found: Tensor = _operator(values.contiguous(), table)
    return found


@torch.library.custom_op("mpm::look_up", mutates_args=())
def _operator(values: Tensor, table: Tensor) -> Tensor:
    return reference.look_up(values, table)


@_operator.register_fake
def _(values: Tensor, table: Tensor) -> Tensor:
    return values.new_empty(values.shape)

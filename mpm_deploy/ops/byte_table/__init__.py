"""Choose the version of a look-up of bytes that a model gets.

CPU, in our files    kernel
anything else        reference
"""

from torch import Tensor

from mpm_deploy.ops.byte_table import kernel, reference
from mpm_deploy.ops.own_kernels import calls_kernels


def look_up(values: Tensor, table: Tensor) -> Tensor:
    """Look bytes up like `reference.look_up`, in the version that suits how the model runs."""
    if calls_kernels(values.device):
        return kernel.look_up(values, table)
    return reference.look_up(values, table)

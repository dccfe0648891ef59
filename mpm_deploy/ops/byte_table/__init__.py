"""Choose the version of a look-up of bytes that a model gets.

CPU, compiled    kernel
anything else    reference
"""

import torch
from torch import Tensor

from mpm_deploy.ops.byte_table import kernel, reference


def look_up(values: Tensor, table: Tensor) -> Tensor:
    """Look bytes up like `reference.look_up`, in the version that suits how the model runs."""
    if torch.compiler.is_exporting() and values.device.type == "cpu":
        return kernel.look_up(values, table)
    return reference.look_up(values, table)

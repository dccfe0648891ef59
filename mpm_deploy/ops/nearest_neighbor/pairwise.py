"""Find nearest neighbors on a CPU in a compiled model, by a kernel that the file holds.

A similarity is the same both ways: the kernel, in ``backends/aotinductor/kernels``, computes that
of each pair once, offers it to both, and keeps none.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.ops.nearest_neighbor import reference


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """Find nearest neighbors; arguments and result are those of `reference.nearest_neighbor`.

    A row that is not a number answers with itself.
    """
    unit = functional.normalize(tokens.float(), dim=-1)  # (T, C); zero rows stay zero
    nearest: Tensor = _operator(unit, offsets, special_tokens)
    return nearest


@torch.library.custom_op("mpm::most_similar", mutates_args=())
def _operator(unit: Tensor, offsets: Tensor, special_tokens: int) -> Tensor:
    return reference.nearest_neighbor(unit, offsets, unit.shape[0], special_tokens)


@_operator.register_fake
def _(unit: Tensor, offsets: Tensor, special_tokens: int) -> Tensor:
    return unit.new_empty(unit.shape[0], dtype=torch.int64)

"""Multiply every row of one matrix by every row of another, for similarities."""

import torch
from torch import Tensor

from mpm_deploy.ops.own_kernels import calls_kernels


def inner_products(rows: Tensor, others: Tensor) -> Tensor:
    """Compute the inner product of each of ``rows`` with each of ``others``.

    While a model is exported for a CPU this is an operator of its own, so that a backend can say
    which library multiplies: what `@` becomes there has half the speed of the best one on some
    processors.

    Args:
        rows: ``(n, D)``.
        others: ``(m, D)``.

    Returns:
        ``(n, m)``.
    """
    if not torch.jit.is_scripting():  # type: ignore[attr-defined]
        is_operator = _is_operator(rows)
        if is_operator:
            product: Tensor = _operator(rows, others)
            return product
    return rows @ others.t()


def _is_operator(rows: Tensor) -> bool:
    return calls_kernels(rows.device) and torch.backends.mkldnn.is_available()


@torch.library.custom_op("mpm::inner_products", mutates_args=())
def _operator(rows: Tensor, others: Tensor) -> Tensor:
    return rows @ others.t()


@_operator.register_fake
def _(rows: Tensor, others: Tensor) -> Tensor:
    return rows.new_empty(rows.shape[0], others.shape[0])

"""Tell Inductor to multiply with oneDNN, whose speed in float32 MKL has half of on AMD processors.

On its own it gives oneDNN only products with a constant weight, and not in every torch those whose
number of rows depends on the data, as that of merged tokens does.
"""

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch

import mpm_deploy.ops.inner_products  # noqa: F401  declares the operator


@functools.cache
def lower_inner_products() -> None:
    """Lower ``mpm::inner_products``, which is exported only where this torch has oneDNN."""
    from torch._inductor import mkldnn_ir
    from torch._inductor.ir import TensorBox
    from torch._inductor.lowering import register_lowering

    @register_lowering(torch.ops.mpm.inner_products.default, type_promotion_kind=None)
    def lower(rows: Any, others: Any) -> Any:
        product = mkldnn_ir.LinearUnary.create(rows, others, None, "none", [], "")
        return TensorBox.create(product)


@contextmanager
def packing_weights(rows: int) -> Iterator[None]:
    """Have Inductor pack constant weights for so many rows where their number is not known.

    oneDNN lays a weight out for a number of rows, and multiplies any number of them. torch 2.11
    asks for that number, which depends on the data, and fails; torch 2.15 takes 8192.
    """
    if not torch.backends.mkldnn.is_available():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Inductor's own, about itself
        from torch._inductor.fx_passes.mkldnn_fusion import CpuMkldnnDeviceOp

    pack: Any = CpuMkldnnDeviceOp.pack_linear_weight

    def pack_for_rows(self: Any, graph: Any, is_half: bool, weight: Any, batch_size: Any) -> Any:
        known = batch_size if isinstance(batch_size, int) else rows
        return pack(self, graph, is_half, weight, known)

    with mock.patch.object(CpuMkldnnDeviceOp, "pack_linear_weight", pack_for_rows):
        yield

"""Tell Inductor to compute inner products of activations with oneDNN.

On its own it gives oneDNN only products with a constant weight, and these to the library behind
`@`. In float32 that is MKL, which on AMD processors reaches less than half of oneDNN's speed.
"""

import functools
from typing import Any

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

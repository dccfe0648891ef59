"""Measures how fast this machine multiplies matrices: ``python -m benchmarks.peers.ceiling``.

The best of a few large shapes, as a ViT has them, and of the two libraries in torch, in GFLOP/s for
each precision, as JSON. Products in float32 are MKL's, which on AMD processors reaches less than
half of oneDNN: taken alone it would be no ceiling.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor], Tensor]

_SHAPES = ((1024, 768, 3072), (1024, 3072, 768), (2048, 2048, 2048))  # rows, inner, columns
_CALLS = 60  # together some seconds: a moment when others had the cores must not set the figure


def measure_ceiling() -> dict[str, float]:
    """Measure the GFLOP/s of the best product by precision, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers.ceiling"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    ceiling: dict[str, float] = json.loads(done.stdout)
    return ceiling


def best_product(dtype: torch.dtype) -> float:
    """Return the GFLOP/s of the fastest matrix product in this precision."""
    products = [torch.nn.functional.linear]
    if torch.backends.mkldnn.is_available():
        products.append(_onednn)
    return max(_gflops(product, shape, dtype) for product in products for shape in _SHAPES)


def _onednn(rows: Tensor, weight: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
    return product


@torch.inference_mode()
def _gflops(product: Product, shape: tuple[int, int, int], dtype: torch.dtype) -> float:
    rows, inner, columns = shape
    left, right = torch.randn(rows, inner).to(dtype), torch.randn(columns, inner).to(dtype)
    seconds = []
    for _ in range(_CALLS):
        begin = time.perf_counter()
        product(left, right)
        seconds.append(time.perf_counter() - begin)
    return 2 * rows * inner * columns / min(seconds) / 1e9


def main() -> None:
    names = ("float32", "bfloat16")
    print(json.dumps({name: best_product(getattr(torch, name)) for name in names}))


if __name__ == "__main__":
    main()

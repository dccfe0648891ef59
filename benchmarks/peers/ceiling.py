"""How fast this machine multiplies matrices: ``python -m benchmarks.peers.ceiling``.

The best of a few large shapes, as a ViT has them, in GFLOP/s for each precision, as JSON.
"""

import json
import subprocess
import sys
import time

import torch

_SHAPES = ((1024, 768, 3072), (1024, 3072, 768), (2048, 2048, 2048))  # rows, inner, columns
_CALLS = 60  # seconds of them: a moment when others had the cores must not set the figure


def measure_ceiling() -> dict[str, float]:
    """GFLOP/s of the best product by precision, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers.ceiling"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    ceiling: dict[str, float] = json.loads(done.stdout)
    return ceiling


def best_product(dtype: torch.dtype) -> float:
    """GFLOP/s."""
    return max(_gflops(shape, dtype) for shape in _SHAPES)


def _gflops(shape: tuple[int, int, int], dtype: torch.dtype) -> float:
    rows, inner, columns = shape
    left, right = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
    out = torch.empty(rows, columns, dtype=dtype)
    seconds = []
    for _ in range(_CALLS):
        begin = time.perf_counter()
        torch.mm(left, right, out=out)
        seconds.append(time.perf_counter() - begin)
    return 2 * rows * inner * columns / min(seconds) / 1e9


def main() -> None:
    names = ("float32", "bfloat16")
    print(json.dumps({name: best_product(getattr(torch, name)) for name in names}))


if __name__ == "__main__":
    main()

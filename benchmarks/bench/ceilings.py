"""Measures how fast this machine multiplies matrices and copies memory.

    python -m benchmarks.bench.ceilings FILE        the CPU's, as JSON

The best of a few calls: a ceiling can only be measured too low. On a CPU both libraries in torch
are tried, on shapes that a ViT has: products in float32 are MKL's, which on AMD processors reaches
less than half of oneDNN, and taken alone it would be no ceiling.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mpm_deploy.support.processor import INT8_ISA, host_cpu_isa

Product = Callable[[Tensor, Tensor], Tensor]
Shape = tuple[int, int, int]  # rows, inner, columns

PRECISIONS = ("float32", "bfloat16")
CPU_SHAPES: tuple[Shape, ...] = ((1024, 768, 3072), (1024, 3072, 768), (2048, 2048, 2048))
GPU_SHAPES: tuple[Shape, ...] = ((8192, 8192, 8192),)
_CALLS = 60  # together some seconds: a moment when others had the cores must not set the figure


def durations(call: Callable[[], object], device: torch.device, calls: int) -> list[float]:
    """Return the milliseconds of some calls, after as many to warm up; each is waited for."""
    times = []
    for _ in range(2 * calls):
        wait(device)
        begin = time.perf_counter()
        call()
        wait(device)
        times.append((time.perf_counter() - begin) * 1e3)
    return times[calls:]


def wait(device: torch.device) -> None:
    """Wait for all that was asked of a device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.inference_mode()
def gflops(dtype: str, device: torch.device, shapes: Sequence[Shape], calls: int = _CALLS) -> float:
    """Return the GFLOP/s of the fastest matrix product in a precision."""
    products: list[Product] = [torch.nn.functional.linear]
    if device.type == "cpu" and torch.backends.mkldnn.is_available():
        products.append(_onednn)
    rates = []
    for rows, inner, columns in shapes:
        left, right = (
            torch.randn(size, inner, device=device).to(getattr(torch, dtype))
            for size in (rows, columns)
        )
        for product in [_bytes] if dtype == "int8" else products:
            best = min(durations(lambda f=product, a=left, b=right: f(a, b), device, calls))
            rates.append(2 * rows * inner * columns / best / 1e6)
    return max(rates)


@torch.inference_mode()
def copy_gb_per_s(device: torch.device, size: int, calls: int = _CALLS) -> float:
    """Return the GB/s of a copy of so many bytes within a device's memory, read and written."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / min(durations(lambda: target.copy_(source), device, calls)) / 1e6


def measure_cpu(threads: int | None = None) -> dict[str, float]:
    """Measure the GFLOP/s of so many cores, or all, by precision, in a process of its own."""
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    with tempfile.NamedTemporaryFile() as answer:  # libraries may print to stdout
        command = [sys.executable, "-m", "benchmarks.bench.ceilings", answer.name]
        subprocess.run(command, check=True, env=environment)
        rates: dict[str, float] = json.load(answer)
    return rates


def _onednn(rows: Tensor, weight: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
    return product


def _bytes(rows: Tensor, weight: Tensor) -> Tensor:
    """Multiply in 8 bits and write 8, as our layers in int8 do at their fastest."""
    operators: Any = torch.ops.onednn
    scales, zeros = torch.ones(weight.shape[0]), torch.zeros(weight.shape[0], dtype=torch.int32)
    product: Tensor = operators.qlinear_pointwise(
        *(rows.view(torch.uint8), 1.0, 0, _packed(weight), scales, zeros, None),
        *(1.0, 0, torch.uint8, "none", [], ""),
    )
    return product


@functools.lru_cache(maxsize=1)
def _packed(weight: Tensor) -> Tensor:
    operators: Any = torch.ops.onednn
    packed: Tensor = operators.qlinear_prepack(weight, None)
    return packed


def _measured() -> Iterator[str]:
    """Yield the precisions that this CPU multiplies fast in: oneDNN has int8 for all others too."""
    yield from PRECISIONS
    if not INT8_ISA.isdisjoint(host_cpu_isa()):
        yield "int8"


if __name__ == "__main__":
    cpu = torch.device("cpu")
    rates = {name: gflops(name, cpu, CPU_SHAPES) for name in _measured()}
    Path(sys.argv[1]).write_text(json.dumps(rates))

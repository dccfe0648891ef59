"""Measures where the time of a forward goes: merges, reconstruction, and the kernels by name."""

import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.results import Ceilings, Kernel, MergeMemory, Stages
from mpm_deploy.backends.base import Program
from mpm_deploy.models.reductions import mpm
from mpm_deploy.models.reductions.mpm import merge_mutual_pairs, reconstruct
from mpm_deploy.models.segmenter import Segmenter

_REPEATS = 20
_MATRIX, _COPY = 8192, 1 << 30  # rows and columns, bytes
_MANY_TOKENS, _WIDTH = 16384, 768


def milliseconds(call: Callable[[], object], device: torch.device) -> float:
    """Return the median time of some calls, after as many to warm up; each is waited for."""
    times = []
    for _ in range(2 * _REPEATS):
        _wait(device)
        begin = time.perf_counter()
        call()
        _wait(device)
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times[_REPEATS:])


@torch.inference_mode()
def measure_stages(model: Segmenter, program: Program, images: Tensor) -> Stages:
    """Time the merges, the reconstruction and the whole forward of one batch.

    Args:
        model: The eager model of the program's recipe, on its device.
        program: The artifact.
        images: ``(B, 3, H, W)`` uint8, on the device.
    """
    device = images.device
    inputs, rows = _inputs_of_merges(model, images)
    merges = tuple(
        milliseconds(lambda given=given: merge_mutual_pairs(*given), device) for given in inputs
    )
    last = merge_mutual_pairs(*inputs[-1])[0]  # (T, C)
    return Stages(
        batch_size=len(images),
        forward=milliseconds(lambda: program.scores(images), device),
        merges=merges,
        reconstruction=milliseconds(lambda: reconstruct(last, rows.flatten()), device),
    )


def _inputs_of_merges(model: Segmenter, images: Tensor) -> tuple[list[tuple[Any, ...]], Tensor]:
    """Return the arguments of each merge of a forward, and ``(B, N)``: the row each
    patch went to.
    """
    inputs = []

    def noted(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        inputs.append(arguments)
        return merge_mutual_pairs(*arguments)

    with mock.patch.object(mpm, "merge_mutual_pairs", noted):
        normalised = images.to(model.scale.dtype) * model.scale + model.shift
        rows = model.encoder(normalised.to(model.encoder.position.dtype))[2]
    return inputs, rows


def measure_kernels(program: Program, images: Tensor) -> tuple[Kernel, ...]:
    """List the kernels of one forward, the longest first; on a CPU, the operators."""
    on_gpu = images.device.type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    program.scores(images)
    _wait(images.device)
    with profile(activities=[activity]) as profiled:
        program.scores(images)
        _wait(images.device)
    kernels = [
        Kernel(
            event.key,
            event.count,
            (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e3,
        )
        for event in profiled.key_averages()
    ]
    return tuple(sorted(kernels, key=lambda kernel: kernel.milliseconds, reverse=True))


@torch.inference_mode()
def measure_ceilings(device: torch.device, side: int = _MATRIX, size: int = _COPY) -> Ceilings:
    """Measure the rates of a copy within the device's memory, and of a product of
    square matrices.
    """
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = milliseconds(lambda: target.copy_(source), device)
    return Ceilings(
        copy_gb_per_s=2 * size / copy / 1e6,
        matrix_tflops={
            str(dtype).removeprefix("torch."): _matrix_tflops(device, dtype, side)
            for dtype in (torch.bfloat16, torch.float32)
        },
    )


def _matrix_tflops(device: torch.device, dtype: torch.dtype, side: int) -> float:
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / milliseconds(lambda: left @ right, device) / 1e9


@torch.inference_mode()
def measure_merge_memory(device: torch.device, tokens: int = _MANY_TOKENS) -> MergeMemory:
    """Measure the memory of merging one image with many tokens; on a CPU the peak is
    unknown and given as 0.
    """
    rows = torch.randn(tokens, _WIDTH, device=device).bfloat16()
    offsets = torch.tensor([0, tokens], dtype=torch.int32, device=device)
    merge_mutual_pairs(rows, offsets, tokens, 0)  # kernels are compiled at the first call
    peak = 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        merge_mutual_pairs(rows, offsets, tokens, 0)
        peak = torch.cuda.max_memory_allocated(device) - before
    mib = 1 / (1 << 20)
    return MergeMemory(tokens, _WIDTH, "bfloat16", rows.nbytes * mib, peak * mib)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

"""Measures where the time of a forward goes: merges, reconstruction, and the kernels by name; and
what the GPU can do at best.
"""

import statistics
import subprocess

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.bench.ceilings import (
    GPU_SHAPES,
    PRECISIONS,
    Shape,
    copy_gb_per_s,
    durations,
    gflops,
    wait,
)
from benchmarks.gpu.record import GpuRecord, on_file
from benchmarks.gpu.results import Ceilings, Kernel, MergeMemory, Stages
from mpm_deploy.backends.base import Program
from mpm_deploy.measure.profile.stopwatch import Part, Stopwatch
from mpm_deploy.models.reductions.mpm import merge_mutual_pairs
from mpm_deploy.models.segmenter import Segmenter

_REPEATS = 20
_COPY = 1 << 30  # bytes
_MANY_TOKENS, _WIDTH = 16384, 768


@torch.inference_mode()
def measure_stages(model: Segmenter, program: Program, images: Tensor) -> Stages:
    """Time the merges and the reconstruction of an eager model, and the whole forward of the
    artifact, with images ``(B, 3, H, W)`` uint8 on the device of both.
    """
    forward = durations(lambda: program.scores(images), images.device, _REPEATS)
    watch = Stopwatch(model)
    laps = [watch.time(images) for _ in range(2 * _REPEATS)][_REPEATS:]  # the first ones warm up

    def median(part: Part) -> float:
        return statistics.median(lap[part] for lap in laps)

    return Stages(
        batch_size=len(images),
        forward=statistics.median(forward),
        merges=tuple(median(part) for part in laps[0] if part.name == "merge"),
        reconstruction=median(Part("reconstruct")),
    )


def measure_kernels(program: Program, images: Tensor) -> tuple[Kernel, ...]:
    """List the kernels of one forward, the longest first; on a CPU, the operators."""
    on_gpu = images.device.type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    program.scores(images)
    wait(images.device)
    with profile(activities=[activity], acc_events=True) as profiled:  # or torch 2.11 warns
        program.scores(images)
        wait(images.device)
    kernels = [
        Kernel(
            event.key,
            event.count,
            (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e3,
        )
        for event in profiled.key_averages()
    ]
    return tuple(sorted(kernels, key=lambda kernel: kernel.milliseconds, reverse=True))


def start_record(device: torch.device) -> GpuRecord:
    """Begin a record with what is known of the GPU before any model runs."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # it is not worth a record
        driver = "unknown"
    return GpuRecord(
        gpu=torch.cuda.get_device_name(device),
        driver=driver.splitlines()[0],
        ceilings=measure_ceilings(device),
        merge_memory=measure_merge_memory(device),
    )


def measure_ceilings(
    device: torch.device, shapes: tuple[Shape, ...] = GPU_SHAPES, size: int = _COPY
) -> Ceilings:
    """Measure the rates of a copy within the device's memory, and of a matrix product."""
    rates = {name: gflops(name, device, shapes, _REPEATS) / 1e3 for name in PRECISIONS}
    return Ceilings(copy_gb_per_s(device, size, _REPEATS), rates)


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


def measured_before() -> GpuRecord | None:
    """Read the record of this GPU; return None where there is none."""
    return on_file(torch.cuda.get_device_name()) if torch.cuda.is_available() else None

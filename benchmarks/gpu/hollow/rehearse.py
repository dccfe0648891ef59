"""Builds an artifact for an H100 and runs it in both programs, on a GPU that computes nothing.

python -m benchmarks.gpu.hollow FOLDER -- python -m benchmarks.gpu.hollow.rehearse FOLDER
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.record import ROOT
from mpm_deploy.artifact import Agreement
from mpm_deploy.backends.base import Program
from mpm_deploy.builder import build as builder
from mpm_deploy.builder.verify import measure_agreement
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.recipe import load_recipe

IMAGES = ROOT / "examples" / "scenes" / "images"
SMALL = ("model.weights=random", "model.image_size=[64, 96]", "model.classes=7")
METHODS = {
    "mpm": (),
    "tome": ("merge.method=tome", "merge.ratio=0.2"),
    "algm": ("merge.method=algm", "merge.blocks=[0, 4]", "merge.threshold=0.9"),
}
_BATCH_SIZES, _IMAGES = (1, 8), 16


def rehearse(folder: Path, method: str, program: Path = ROOT / "build" / "cpp_runner") -> None:
    """Build a small model in bfloat16 that merges by a method, and run it in the way of
    the paper's rows.

    Raises:
        CalledProcessError: The C++ program failed.
    """
    artifact = build(folder / f"{method}.pt2", method)
    report = bench(artifact, IMAGES, batch_sizes=_BATCH_SIZES, limit=_IMAGES, warmup=1)
    print(f"Python: batches of {', '.join(str(r.batch_size) for r in report.results)} ran")
    sizes = ",".join(map(str, _BATCH_SIZES))
    options = [f"--batch={sizes}", f"--limit={_IMAGES}", "--warmup=1"]
    subprocess.run([program, artifact, IMAGES, *options], check=True, stdout=subprocess.DEVNULL)
    print(f"C++: batches of {sizes} ran")


def build(path: Path, method: str) -> Path:
    """Build the artifact without the check that it agrees with the eager model: here
    both give zeros.
    """
    recipe = load_recipe("h100_bf16").override(*SMALL, *METHODS[method])
    # Inductor writes a graph's tensors as text into its trace, and only kernels can print one.
    with (
        mock.patch.object(Tensor, "__repr__", _shape),
        mock.patch.object(builder, "measure_agreement", _agreeing),
    ):
        return builder.build(recipe, path, progress=print)


def _shape(tensor: Tensor, **_: object) -> str:
    return f"tensor{tuple(tensor.shape)}"


def _agreeing(model: nn.Module, program: Program, images: Tensor) -> Agreement:
    found = measure_agreement(model, program, images)
    return replace(found, labels=1.0, clusters=tuple(1.0 for _ in found.clusters))


if __name__ == "__main__":
    torch.set_num_threads(1)
    rehearse(Path(sys.argv[1]), sys.argv[2])

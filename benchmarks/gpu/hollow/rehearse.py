"""Builds an artifact for an H100 and runs it in both programs, on a GPU that computes nothing.

python -m benchmarks.gpu.hollow FOLDER -- python -m benchmarks.gpu.hollow.rehearse FOLDER METHOD
"""

import subprocess
import sys
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from benchmarks.gpu.prepare import scenes
from benchmarks.gpu.rows import SUBJECTS
from benchmarks.record import CPP_RUNNER
from mpm_deploy.builder import build as builder
from mpm_deploy.measure.speed.bench import bench

ROW = "seg_t16_mask-512-bfloat16"
SMALL = ("model.image_size=[64, 96]", "model.classes=7")
_BATCH_SIZES, _IMAGES = (1, 8), 16


def rehearse(folder: Path, method: str, program: Path = CPP_RUNNER) -> None:
    """Build a small model in bfloat16 that merges by a method, or is full-token, and run it in the
    way of the paper's rows.

    Raises:
        CalledProcessError: The C++ program failed.
    """
    artifact = build(folder / f"{method}.pt2", method)
    images = scenes(_IMAGES)
    report = bench(artifact, images, batch_sizes=_BATCH_SIZES, limit=_IMAGES, warmup=1)
    print(f"Python: batches of {', '.join(str(r.batch_size) for r in report.results)} ran")
    sizes = ",".join(map(str, _BATCH_SIZES))
    options = [f"--batch={sizes}", f"--limit={_IMAGES}", "--warmup=1"]
    subprocess.run([program, artifact, images, *options], check=True, stdout=subprocess.DEVNULL)
    print(f"C++: batches of {sizes} ran")


def build(path: Path, method: str) -> Path:
    """Build the artifact of a way of merging, or of ``"full_token"``."""
    full_token = method == "full_token"
    recipe = SUBJECTS[ROW].recipe("mpm" if full_token else method, "random").override(*SMALL)
    # Inductor writes a graph's tensors as text into its trace, and only kernels can print one.
    with mock.patch.object(Tensor, "__repr__", _shape):
        return builder.build(recipe.full_token() if full_token else recipe, path, progress=print)


def _shape(tensor: Tensor, **_: object) -> str:
    return f"tensor{tuple(tensor.shape)}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    rehearse(Path(sys.argv[1]), sys.argv[2])

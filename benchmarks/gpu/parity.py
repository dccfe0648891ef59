"""Compares the C++ program's label maps with Python's, over a folder of images.

The program writes a PNG an image (``--output``), whose palette is the classes' colours and whose
samples are the classes. Python's `Runner` gives its label maps in memory.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gpu.results import Parity
from mpm_deploy.images.decode import find_images
from mpm_deploy.run.label_maps import label_map_names
from mpm_deploy.run.results import Result
from mpm_deploy.run.runner import Runner

_NAMED = 5  # of the images that differ


def measure_parity(program: Path, artifact: Path, folder: Path, count: int) -> Parity:
    """Run the first ``count`` images through both programs, one per call, and compare
    the label maps.

    Raises:
        CalledProcessError: The C++ program failed.
        ValueError: One of the programs could not read an image.
    """
    images = find_images(folder)[:count]
    with tempfile.TemporaryDirectory() as written:
        subprocess.run([program, "run", artifact, *images, f"--output={written}"], check=True)
        return compare(artifact, images, Path(written))


def compare(artifact: Path, images: list[Path], written: Path) -> Parity:
    """Compare Python's label maps with those in a folder."""
    equal, different, pixels, all_pixels = 0, [], 0, 0
    for image, ours in _labels(artifact, images):
        with Image.open(written / image) as picture:
            theirs = np.asarray(picture)
        if ours.shape != theirs.shape:
            raise ValueError(f"{image}: {ours.shape} in Python, {theirs.shape} in C++")
        alike = int((ours == theirs).sum())
        pixels, all_pixels = pixels + alike, all_pixels + ours.size
        equal += alike == ours.size
        if alike < ours.size:
            different.append(image)
    return Parity(len(images), equal, pixels / all_pixels, tuple(different[:_NAMED]))


def _labels(artifact: Path, images: list[Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each label map, and Python's labels."""
    with Runner(artifact) as runner, closing(runner.run(images)) as outcomes:
        for name, outcome in zip(label_map_names(images), outcomes, strict=True):
            if not isinstance(outcome, Result):
                raise ValueError(f"{outcome.path}: {outcome.reason}")
            yield name, outcome.labels

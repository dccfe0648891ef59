"""Defines the results of a GPU, as they lie in ``benchmarks/results/h100-<gpu>.json``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.results import Verdict
from mpm_deploy.artifact import Flops
from mpm_deploy.measure.speed.report import Report


@dataclass(frozen=True)
class Ceilings:
    """The highest rates that were measured on the GPU.

    Attributes:
        copy_gb_per_s: GB/s of a copy within its memory, bytes read and written.
        matrix_tflops: TFLOP/s of a large matrix product, by precision; float32 is without TF32.
    """

    copy_gb_per_s: float
    matrix_tflops: dict[str, float]


@dataclass(frozen=True)
class MergeMemory:
    """The memory that one merge of one image takes.

    Attributes:
        tokens: The tokens of the image.
        width: The width of a token.
        dtype: The type of the tokens.
        tokens_mib: MiB of the tokens themselves.
        peak_mib: MiB that the merge held at most, besides them.
    """

    tokens: int
    width: int
    dtype: str
    tokens_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Stages:
    """The times of merges and reconstruction in a forward, at one batch size, in milliseconds.

    Merges and reconstruction are those of the eager model on the same features, which fuses
    nothing: what the artifact needs is less.

    Attributes:
        batch_size: Images a call.
        forward: The whole forward of the artifact.
        merges: Each merge.
        reconstruction: The gathering of the patches' scores.
    """

    batch_size: int
    forward: float
    merges: tuple[float, ...]
    reconstruction: float

    @property
    def share(self) -> float:
        """The share of merging and reconstruction in the forward."""
        return (sum(self.merges) + self.reconstruction) / self.forward


@dataclass(frozen=True)
class Kernel:
    """A kernel of one forward: how often it ran, and its total time."""

    name: str
    calls: int
    milliseconds: float


@dataclass(frozen=True)
class Profile:
    """The kernels of one forward at one batch size, the longest first.

    Attributes:
        batch_size: Images a call.
        kernels: The kernels of the forward.
        merged: Whether this is the merged model; else it is the full-token one.
    """

    batch_size: int
    kernels: tuple[Kernel, ...]
    merged: bool = True


@dataclass(frozen=True)
class Parity:
    """The comparison of the C++ program's label maps with Python's, for one artifact.

    Attributes:
        images: The number of different files.
        equal_images: The number of images with every pixel alike.
        equal_pixels: Share of all pixels.
        different: The names of some that differ.
    """

    images: int
    equal_images: int
    equal_pixels: float
    different: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartResult:
    """The results of one row, merged by one method.

    Attributes:
        row: Its name.
        method: How tokens merge.
        recipe: The artifact's whole recipe.
        weights: Where they come from, in words.
        parameters: The number of parameters.
        patches: Tokens of an image before merging.
        flops: The FLOPs of an image, by its tokens kept.
        full_token_flops: The same of the model without merging.
        labels_agree: Share of labels equal to those of the eager model, measured at build.
        commit: The commit of the checkout it was measured in.
        cpp: The C++ program's report, merged against full-token.
        parity: C++ against Python.
        python: As ``cpp``, of the Python program.
        profiles: The kernels of the forwards, at the least and the largest batch.
        stages: The stages of Mutual Pair Merging, at the largest batch.
    """

    row: str
    method: str
    recipe: dict[str, Any]
    weights: str
    parameters: int
    patches: int
    flops: Flops
    full_token_flops: Flops
    labels_agree: float
    commit: str
    # Each is empty where it was not measured, or failed.
    cpp: Report | None = None
    parity: Parity | None = None
    python: Report | None = None
    profiles: tuple[Profile, ...] = ()
    stages: Stages | None = None

    @property
    def measured(self) -> int:
        """How many measurements are there."""
        found = (self.cpp, self.parity, self.python, self.stages)
        return sum(each is not None for each in found) + bool(self.profiles)

    @property
    def complete(self) -> bool:
        """Whether every measurement is there; stages are of Mutual Pair Merging alone."""
        return self.measured == (5 if self.method == "mpm" else 4)

    @property
    def speed(self) -> Report:
        """The report of the C++ program, or of the Python program where that is missing.

        Raises:
            ValueError: Neither is there: `timed` leaves such parts out.
        """
        report = self.cpp or self.python
        if report is None:
            raise ValueError(f"{self.name} was not timed")
        return report

    @property
    def name(self) -> str:
        """The names of the row and the method."""
        return f"{self.row} {self.method}"


@dataclass(frozen=True)
class GpuRecord:
    """The record of one GPU: all parts measured on it.

    Attributes:
        gpu: Its product name.
        driver: Its driver's version.
        ceilings: The ceilings of this GPU.
        merge_memory: The memory of a merge of many tokens.
        parts: The results by row and method.
        verdicts: The targets, and whether they were met.
    """

    gpu: str
    driver: str
    ceilings: Ceilings
    merge_memory: MergeMemory
    parts: tuple[PartResult, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def timed(parts: Iterable[PartResult]) -> list[PartResult]:
    """Return the parts that have a speed."""
    return [part for part in parts if part.cpp or part.python]

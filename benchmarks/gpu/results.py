"""Defines what is measured on a GPU, part by part."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.bench.agreement import Agreement
from mpm_deploy.artifact import Flops
from mpm_deploy.measure.speed.report import Measurement, Ratio, Report

WITH_STAGES = "mpm"  # whose merges are timed one by one


@dataclass(frozen=True)
class Ceilings:
    """The highest rates of the GPU: of a copy within its memory, bytes read and written, and of a
    large matrix product by precision; float32 is without TF32.
    """

    copy_gb_per_s: float
    matrix_tflops: dict[str, float]


@dataclass(frozen=True)
class MergeMemory:
    """The MiB of an image's tokens, and the most that a merge of them held besides."""

    tokens: int
    width: int
    dtype: str
    tokens_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Stages:
    """The milliseconds of each merge, of the reconstruction and of the whole forward of one batch.

    The forward is the artifact's. Merges and reconstruction are the eager model's, which fuses
    nothing: what the artifact needs is less.
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
    """The kernels of one forward, the longest first, of the merged or of the full-token model."""

    batch_size: int
    kernels: tuple[Kernel, ...]
    merged: bool = True


@dataclass(frozen=True)
class PartResult:
    """The results of one row, merged by one method.

    Attributes:
        recipe: The artifact's whole recipe.
        weights: Where they come from, in words.
        parameters: The number of parameters.
        patches: Tokens of an image before merging.
        flops: The FLOPs of an image, by its tokens kept; ``full_token_flops`` without merging.
        labels_agree: Share of labels equal to those of the eager model, measured at build.
        cpp: The C++ program's report, merged against full-token; ``python`` the Python program's.
        parity: The C++ program's label maps against Python's.
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
    parity: Agreement | None = None
    python: Report | None = None
    profiles: tuple[Profile, ...] = ()
    stages: Stages | None = None

    @property
    def name(self) -> str:
        """The names of the row and the method."""
        return f"{self.row} {self.method}"

    @property
    def measured(self) -> int:
        """How many measurements are there."""
        found = (self.cpp, self.parity, self.python, self.stages)
        return sum(each is not None for each in found) + bool(self.profiles)

    @property
    def complete(self) -> bool:
        """Whether every measurement is there; stages are of Mutual Pair Merging alone."""
        return self.measured == (5 if self.method == WITH_STAGES else 4)

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
    def ratios(self) -> tuple[Ratio, ...]:
        """The ratios to full-token, by rising batch size."""
        assert self.speed.comparison is not None
        return tuple(sorted(self.speed.comparison.results, key=lambda each: each.batch_size))

    @property
    def ratio(self) -> Ratio:
        """The ratio to full-token at the largest batch."""
        return self.ratios[-1]

    @property
    def largest(self) -> Measurement:
        """The measurement at the largest batch."""
        return max(self.speed.results, key=lambda each: each.batch_size)


def timed(parts: Iterable[PartResult]) -> list[PartResult]:
    """Return the parts that have a speed."""
    return [part for part in parts if part.cpp or part.python]

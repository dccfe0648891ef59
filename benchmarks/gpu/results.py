"""What was measured, as it lies in ``benchmarks/results/h100-<gpu>.json``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.results import Verdict
from mpm_deploy.artifact import Flops
from mpm_deploy.measure.report import Report


@dataclass(frozen=True)
class Ceilings:
    """What the GPU gives at most.

    Attributes:
        copy_gb_per_s: Of a copy within its memory, bytes read and written.
        matrix_tflops: Of a large matrix product, by precision; float32 is without TF32.
    """

    copy_gb_per_s: float
    matrix_tflops: dict[str, float]


@dataclass(frozen=True)
class MergeMemory:
    """Of one merge of one image.

    Attributes:
        tokens: Of the image.
        width: Of a token.
        dtype: Of the tokens.
        tokens_mib: The tokens themselves.
        peak_mib: What the merge held at most, besides them.
    """

    tokens: int
    width: int
    dtype: str
    tokens_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Stages:
    """Where the time of a forward goes, at one batch size, in milliseconds.

    Merges and reconstruction are those of the eager model on the same features, which fuses
    nothing: what the artifact needs is less.

    Attributes:
        batch_size: Images.
        forward: Of the artifact.
        merges: Each merge.
        reconstruction: The gathering of the patches' scores.
    """

    batch_size: int
    forward: float
    merges: tuple[float, ...]
    reconstruction: float

    @property
    def share(self) -> float:
        """Of merging and reconstruction in the forward."""
        return (sum(self.merges) + self.reconstruction) / self.forward


@dataclass(frozen=True)
class Kernel:
    """A kernel of one forward: how often it ran, and for how long in all."""

    name: str
    calls: int
    milliseconds: float


@dataclass(frozen=True)
class Profile:
    """The kernels of one forward at one batch size, the longest first.

    Attributes:
        batch_size: Images.
        kernels: Of the forward.
        merged: Whether of the merged model; else of the full-token one.
    """

    batch_size: int
    kernels: tuple[Kernel, ...]
    merged: bool = True


@dataclass(frozen=True)
class Parity:
    """The C++ program's label maps against Python's, of one artifact.

    Attributes:
        images: Different files.
        equal_images: Of them, with every pixel alike.
        equal_pixels: Share of all pixels.
        different: The names of some that differ.
    """

    images: int
    equal_images: int
    equal_pixels: float
    different: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartResult:
    """One row, merged by one method.

    Attributes:
        row: Its name.
        method: How tokens merge.
        recipe: The artifact's, whole.
        weights: Where they come from, in words.
        parameters: How many numbers the weights are.
        patches: Tokens of an image before merging.
        flops: Of an image, by its tokens kept.
        full_token_flops: Of the model without merging.
        labels_agree: Share of labels equal to those of the eager model, measured at build.
        commit: Of the checkout it was measured in.
        cpp: The C++ program's report, merged against full-token.
        parity: C++ against Python.
        python: As ``cpp``, of the Python program.
        profiles: Of the forwards, at the least and the largest batch.
        stages: Of Mutual Pair Merging, at the largest batch.
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
    def complete(self) -> bool:
        """Whether every measurement is there."""
        return None not in (self.cpp, self.parity, self.python) and bool(self.profiles)

    @property
    def speed(self) -> Report:
        """By the C++ program; where that is missing, by the Python one.

        Raises:
            ValueError: Neither is there: `timed` leaves such parts out.
        """
        report = self.cpp or self.python
        if report is None:
            raise ValueError(f"{self.name} was not timed")
        return report

    @property
    def name(self) -> str:
        """Of the row and the method."""
        return f"{self.row} {self.method}"


@dataclass(frozen=True)
class GpuRecord:
    """All parts measured on one GPU.

    Attributes:
        gpu: Its product name.
        driver: Its driver's version.
        ceilings: Of this GPU.
        merge_memory: Of a merge of many tokens.
        parts: By row and method.
        verdicts: The targets.
    """

    gpu: str
    driver: str
    ceilings: Ceilings
    merge_memory: MergeMemory
    parts: tuple[PartResult, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def timed(parts: Iterable[PartResult]) -> list[PartResult]:
    """Those with a figure."""
    return [part for part in parts if part.cpp or part.python]

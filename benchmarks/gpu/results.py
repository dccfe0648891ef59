"""What was measured, as it lies in ``benchmarks/results/h100-<gpu>.json``."""

from dataclasses import dataclass

from benchmarks.peers.results import Verdict
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
class PartResult:
    """One model in one precision.

    Attributes:
        model: Its name.
        dtype: What it computes in.
        weights: Where they come from, in words.
        patches: Tokens of an image before merging.
        labels_agree: Share of labels equal to those of the eager model, measured at build.
        cpp: The C++ program's report, merged against full-token.
        python: The Python one's.
        before_decoder: The Python one's, merged against merged that reconstructs as the paper does.
        stages: At the largest batch.
        kernels: Of the same forward, the longest first.
        commit: Of the checkout it was measured in.
    """

    model: str
    dtype: str
    weights: str
    patches: int
    labels_agree: float
    cpp: Report
    python: Report
    before_decoder: Report
    stages: Stages
    kernels: tuple[Kernel, ...]
    commit: str


@dataclass(frozen=True)
class GpuRecord:
    """All parts measured on one GPU.

    Attributes:
        gpu: Its product name.
        driver: Its driver's version.
        ceilings: Of this GPU.
        merge_memory: Of a merge of many tokens.
        parts: By model and precision.
        verdicts: The targets.
    """

    gpu: str
    driver: str
    ceilings: Ceilings
    merge_memory: MergeMemory
    parts: tuple[PartResult, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

"""Defines the report: what a bench measured, as `docs/formats/report.md` describes the file."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpm_deploy.artifact import Manifest, MergeInfo
from mpm_deploy.run.results import StageTimes
from mpm_deploy.support.contention import Contention
from mpm_deploy.support.schema import to_mapping

SCHEMA = "mpm-report/2"
SAMPLES_FOR_P99 = 100


@dataclass(frozen=True)
class ArtifactInfo:
    """The artifact that was measured."""

    path: str
    model: str
    backend: str
    device: str
    dtype: str
    weights: str
    merge: MergeInfo
    payload_sha256: str

    @classmethod
    def of(cls, path: str, manifest: Manifest, device: str | None = None) -> "ArtifactInfo":
        """Describe an artifact that ran on ``device``; None is the one it was built for."""
        return cls(
            path=path,
            model=manifest.model.name,
            backend=manifest.requires.backend,
            device=device or manifest.requires.device,
            dtype=manifest.requires.dtype,
            weights=manifest.weights.origin,
            merge=manifest.merge,
            payload_sha256=manifest.payload_sha256,
        )


@dataclass(frozen=True)
class HostInfo:
    """The machine, the software and the time of a measurement; ``threads`` is of one model call,
    ``started`` is in UTC, ISO 8601.
    """

    program: str
    cpu: str
    cores: int
    threads: int
    gpu: str | None
    os: str
    torch: str
    python: str | None
    mpm_deploy: str
    started: str


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of the latencies, in milliseconds; ``p99`` is None under 100 samples."""

    p50: float
    p90: float
    p99: float | None

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Percentiles":
        """Compute the percentiles, linear between the two nearest samples."""
        p50, p90, p99 = (float(value) for value in np.percentile(samples, (50, 90, 99)))
        return cls(p50, p90, p99 if len(samples) >= SAMPLES_FOR_P99 else None)


@dataclass(frozen=True)
class TokensKept:
    """The tokens kept, over the images: one number per merge."""

    mean: tuple[float, ...]
    min: tuple[int, ...]
    max: tuple[int, ...]


@dataclass(frozen=True)
class Measurement:
    """The figures of one artifact at one batch size.

    Attributes:
        batch_size: Images a model call.
        images: Different images of one end-to-end pass.
        warmup_images: Images run before timing.
        end_to_end_fps: Image files to label maps in host memory, a second.
        model_fps: Input tensors on the device to scores on it, images a second.
        latency_ms: Of an image: its decode and fit, and its whole batch's other stages.
        stages_ms: Mean of each stage, an image.
        tokens_kept: The tokens left after each merge.
        gflops: Mean over the images, at the tokens kept.
        gflops_full_token: If no token were merged.
        peak_memory_mib: The most that the process had resident until then; None in older reports.
        contention: What held the process back, mean of its passes; None in older reports.
    """

    batch_size: int
    images: int
    warmup_images: int
    end_to_end_fps: float
    model_fps: float
    latency_ms: Percentiles
    stages_ms: StageTimes
    tokens_kept: TokensKept
    gflops: float
    gflops_full_token: float
    peak_memory_mib: float | None = None
    contention: Contention | None = None


@dataclass(frozen=True)
class LeftOut:
    """A batch size that was not measured, and the reason."""

    batch_size: int
    reason: str


@dataclass(frozen=True)
class SkippedImage:
    """An image that was not measured, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class Spread:
    """The median, least and greatest value of a ratio over the repeats."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarize one value per repeat."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Ratio:
    """The ratios of the artifact's speed to the other one's, at one batch size.

    ``flop_ratio`` is the other's GFLOPs over this one's: what the FPS ratios could reach.
    """

    batch_size: int
    repeats: int
    model_fps_ratio: Spread
    end_to_end_fps_ratio: Spread
    flop_ratio: float
    against: Measurement


@dataclass(frozen=True)
class Comparison:
    """The comparison of the artifact with another one, in alternating runs."""

    against: ArtifactInfo
    results: tuple[Ratio, ...]
    verdict: str


@dataclass(frozen=True)
class Report:
    """The results of one bench."""

    schema: str
    artifact: ArtifactInfo
    host: HostInfo
    results: tuple[Measurement, ...]
    left_out: tuple[LeftOut, ...]
    skipped: tuple[SkippedImage, ...]
    comparison: Comparison | None

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values that JSON can hold."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping


def write_verdict(artifact: ArtifactInfo, against: ArtifactInfo, results: Sequence[Ratio]) -> str:
    """Say in one sentence whether merging pays here, by the end-to-end FPS of every batch size.

    A ratio counts as a gain or a loss only where all its repeats lie on that side of 1, and there
    are two at least: of one nobody knows what it is worth.

    Args:
        artifact: The one that was measured.
        against: The one it is held against.
        results: The ratios, at least one.
    """
    merges = bool(artifact.merge.blocks) and not against.merge.blocks
    subject = "Merging" if merges else artifact.path
    gains = [r.batch_size for r in results if r.end_to_end_fps_ratio.min > 1]
    losses = [r.batch_size for r in results if r.end_to_end_fps_ratio.max < 1]
    if any(ratio.repeats < 2 for ratio in results):
        claim = "One turn each decides nothing"
    elif len(gains) == len(results):
        claim = f"{subject} pays here"
    elif gains:
        claim = f"{subject} pays here at batch {_listed(gains)} only"
    elif len(losses) == len(results):
        claim = f"{subject} does not pay here"
    else:
        claim = f"{subject} makes no difference here that these repeats can tell"
    return f"{claim}: {'; '.join(_figures(ratio) for ratio in results)}."


def _figures(ratio: Ratio) -> str:
    end_to_end, model = ratio.end_to_end_fps_ratio, ratio.model_fps_ratio
    turns = f" ({end_to_end.min:.2f} to {end_to_end.max:.2f})" if ratio.repeats > 1 else ""
    return (
        f"batch {ratio.batch_size} end to end × {end_to_end.median:.2f}{turns}, "
        f"model × {model.median:.2f} where FLOPs allow × {ratio.flop_ratio:.2f}"
    )


def _listed(numbers: Sequence[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}" if most else last

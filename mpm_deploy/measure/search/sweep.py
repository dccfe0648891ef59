"""Holds the results of a sweep, one row per way of merging, as in `docs/formats/sweep.md`."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from mpm_deploy.artifact import CreatedBy
from mpm_deploy.errors import InputError, RecipeError
from mpm_deploy.measure.accuracy.evaluate import DatasetInfo
from mpm_deploy.measure.search.settings import Settings
from mpm_deploy.measure.speed.report import HostInfo, Spread, TokensKept
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.support.files import written_atomically
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import StructureError, read_structure, to_mapping
from mpm_deploy.support.strict_json import read_own_json

SCHEMA = "mpm-sweep/2"

Truth = Literal["labels", "full_token"]


@dataclass(frozen=True)
class Subject:
    """The model, data and settings that a sweep measures; only rows of one subject can be compared.

    Attributes:
        recipe: The recipe as plain values, without its merging.
        weights: SHA-256 of the weights' file; None for random ones.
        dataset: The data set.
        samples: SHA-256 over the ids of its samples and what their files hold.
        truth: The label maps to compare with: true ones, or the full-token model's.
        settings: How every artifact is measured.
        torch: The version of torch.
    """

    recipe: dict[str, Any]
    weights: str | None
    dataset: DatasetInfo
    samples: str
    truth: Truth
    settings: Settings
    torch: str


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of an artifact over ``images``: shares from 0 to 1, as `Evaluation` has them.

    ``boundary_f_score`` is None where no label map has a boundary.
    """

    images: int
    mean_iou: float
    pixel_accuracy: float
    boundary_f_score: float | None


@dataclass(frozen=True)
class Speed:
    """The speed of an artifact over ``images``, and its ratio to the full-token
    model's, turn by turn.

    ``tokens_kept`` and ``gflops`` are of the same images, from the tokens that each kept.
    """

    images: int
    end_to_end_fps: float
    model_fps: float
    end_to_end_fps_ratio: Spread
    model_fps_ratio: Spread
    flop_ratio: float
    gflops: float
    tokens_kept: TokensKept


@dataclass(frozen=True)
class SweepRow:
    """The figures of one artifact; ``payload_sha256`` identifies it."""

    name: str
    merge: MergeRecipe
    payload_sha256: str
    accuracy: Accuracy
    speed: Speed


@dataclass(frozen=True)
class Sight:
    """The eager model of one way of merging on a few images, before anything is built.

    Attributes:
        gflops: Mean over the images, from the tokens that each kept.
        agreements: The share of each image's labels that are the full-token model's.
        skipped: Why it is not worth a build; None where it is.
    """

    name: str
    merge: MergeRecipe
    gflops: float
    agreements: tuple[float, ...]
    skipped: str | None = None

    @property
    def agreement(self) -> float:
        """The mean over the images."""
        return fmean(self.agreements)


@dataclass(frozen=True)
class Failure:
    """A variant that could not be built, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep so far (`docs/formats/sweep.md`).

    Attributes:
        full_token: The full-token model's row, which all others are compared with.
        rows: In the order they were measured.
        front: Names of those that no other row beats in both end-to-end FPS and mIoU.
        doubts: What is likely to be a mistake in the data set, as `Evaluation` says it.
        seen: What was looked at to tell what is worth a build.
    """

    schema: str
    created_by: CreatedBy
    host: HostInfo
    subject: Subject
    full_token: SweepRow
    rows: tuple[SweepRow, ...] = ()
    failures: tuple[Failure, ...] = ()
    front: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    seen: tuple[Sight, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values that JSON can hold."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping

    def row(self, merge: MergeRecipe) -> SweepRow | None:
        """Return the row of one way of merging, or None where it was not measured."""
        return next((row for row in self.rows if row.merge == merge), None)

    def sight(self, merge: MergeRecipe) -> Sight | None:
        """Return the first sight of one way of merging, or None where it was not looked at."""
        return next((sight for sight in self.seen if sight.merge == merge), None)

    def skipped(self) -> tuple[Sight, ...]:
        """Return what was looked at, and neither built nor found worth it."""
        return tuple(s for s in self.seen if s.skipped and self.row(s.merge) is None)

    def every_row(self) -> tuple[SweepRow, ...]:
        """Return all rows, the full-token model's first."""
        return (self.full_token, *self.rows)


def pareto_front(rows: Sequence[SweepRow]) -> tuple[str, ...]:
    """Return the names of the rows that no other beats in both end-to-end FPS ratio and mIoU,
    slowest first.

    Of rows that are equal in both, the first stays.
    """
    fastest_first = sorted(rows, key=lambda row: (-_fps_ratio(row), -row.accuracy.mean_iou))
    front: list[SweepRow] = []
    for row in fastest_first:
        if not front or row.accuracy.mean_iou > front[-1].accuracy.mean_iou:
            front.append(row)
    return tuple(row.name for row in front[::-1])


def not_matched(sweep: Sweep, method: str = "mpm") -> list[tuple[SweepRow, SweepRow | None]]:
    """Find rows of other methods that are faster than this method is at no less mIoU.

    Returns:
        Each with the fastest row of ``method`` (or the full-token one) whose mIoU is at least as
        high; None where there is no such row.
    """
    own = [row for row in sweep.every_row() if row.merge.method == method or not row.merge.blocks]
    found: list[tuple[SweepRow, SweepRow | None]] = []
    for other in sweep.rows:
        if other.merge.method == method:
            continue
        rivals = [row for row in own if row.accuracy.mean_iou >= other.accuracy.mean_iou]
        best = max(rivals, key=_fps_ratio, default=None)
        if best is None or _fps_ratio(other) > _fps_ratio(best):
            found.append((other, best))
    return found


def read_sweep(path: Path) -> Sweep:
    """Read a sweep from a file.

    Raises:
        InputError: It cannot be read, or is no sweep.
    """
    try:
        data = read_own_json(path.read_bytes())
        schema = data.get("schema") if isinstance(data, dict) else None
        if schema != SCHEMA:
            raise InputError(
                f"{path}: expected schema {SCHEMA!r}, got {shown(schema)}", "name another folder"
            )
        return read_structure(Sweep, data)
    except OSError as error:
        raise refusal(InputError, f"{path}: cannot be read", error) from error
    except (StructureError, RecipeError, ValueError) as error:
        raise InputError(f"{path}: not a sweep: {error}", "name another folder") from error


def write_sweep(path: Path, sweep: Sweep) -> None:
    """Write a sweep to a file, replacing it; the file appears whole or not at all.

    Raises:
        InputError: It cannot be written.
    """
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(sweep.to_dict(), indent=2) + "\n")


def write_csv(path: Path, sweep: Sweep) -> None:
    """Write a line for each row, the full-token model's first; shares are in percent.

    Raises:
        InputError: It cannot be written.
    """
    with written_atomically(path) as temporary, temporary.open("w", newline="") as file:
        lines = [_line(row, row.name in sweep.front) for row in sweep.every_row()]
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _line(row: SweepRow, on_front: bool) -> dict[str, str]:
    speed, ratio = row.speed, row.speed.end_to_end_fps_ratio
    boundary = row.accuracy.boundary_f_score
    return {
        "name": row.name,
        "method": row.merge.method,
        "blocks": " ".join(map(str, row.merge.blocks)),
        "mean_iou": f"{100 * row.accuracy.mean_iou:.3f}",
        "pixel_accuracy": f"{100 * row.accuracy.pixel_accuracy:.3f}",
        "boundary_f_score": "" if boundary is None else f"{100 * boundary:.3f}",
        "end_to_end_fps": f"{speed.end_to_end_fps:.3f}",
        "model_fps": f"{speed.model_fps:.3f}",
        "end_to_end_fps_ratio": f"{ratio.median:.4f}",
        "end_to_end_fps_ratio_min": f"{ratio.min:.4f}",
        "end_to_end_fps_ratio_max": f"{ratio.max:.4f}",
        "model_fps_ratio": f"{speed.model_fps_ratio.median:.4f}",
        "flop_ratio": f"{speed.flop_ratio:.4f}",
        "gflops": f"{speed.gflops:.4f}",
        "tokens_kept": " ".join(f"{tokens:.1f}" for tokens in speed.tokens_kept.mean),
        "on_front": "yes" if on_front else "no",
    }


def _fps_ratio(row: SweepRow) -> float:
    return row.speed.end_to_end_fps_ratio.median

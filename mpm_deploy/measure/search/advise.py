"""Advises a way of merging: the fastest that is accurate enough, or the most accurate
that is fast enough.

    every variant ─▶ eager model on the data set ─▶ mIoU and GFLOPs: a first sight, never reported
                                                        │ ordered by what is asked for
    the likely ones, one by one ─▶ build, evaluate, bench ─▶ the best that keeps the limit

What it answers was measured on the artifact; the first sight only says what to measure.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpm_deploy.builder.build import open_eager
from mpm_deploy.datasets import Dataset
from mpm_deploy.errors import InputError
from mpm_deploy.measure.accuracy.evaluate import evaluate
from mpm_deploy.measure.search.plan import make_plan
from mpm_deploy.measure.search.sweep import Settings, Subject, SweepRow
from mpm_deploy.measure.search.sweeper import Sweeper, accuracy_of
from mpm_deploy.measure.search.variants import Schedule, name_of
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.support.numbers import finite_number

FINALISTS = 4  # measured, of those that may be the fastest
_HOPE = 1.1  # FPS rises by no more than this times what FLOPs allow


@dataclass(frozen=True)
class Sight:
    """The accuracy and GFLOPs of a variant's eager model, which say nothing of its speed."""

    merge: MergeRecipe
    mean_iou: float
    gflops: float


@dataclass(frozen=True)
class Advice:
    """The row that is best within the limit, which may be the full-token one, and all
    rows measured.

    Attributes:
        best: The best row; None where nothing keeps the limit, not even the full-token model.
        full_token: The full-token model's row, which the best one is compared with.
        measured: Every row that was measured for it.
        seen: How many ways of merging were looked at.
        subject: The model, data and settings that were measured.
        doubts: What is likely to be a mistake in the data set, as `Evaluation` says it.
    """

    best: SweepRow | None
    full_token: SweepRow
    measured: tuple[SweepRow, ...]
    seen: int
    subject: Subject
    doubts: tuple[str, ...] = ()


def advise(
    recipe: Recipe | str | Path,
    dataset: Dataset | str | Path,
    *,
    max_drop: float | None = None,
    min_fps: float | None = None,
    root: str | Path | None = None,
    methods: Sequence[str] = ("mpm",),
    schedules: Sequence[Schedule] = (),
    output: str | Path = "sweep",
    limit: int | None = None,
    timed: int = 32,
    batch_size: int = 1,
    repeats: int = 3,
    device: str | None = None,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Advice:
    """Find the way of merging that is best within a limit, by measuring the likely ones.

    Args:
        recipe: As `sweep` takes it, as all that is not named here.
        dataset: Images with label maps, or without.
        max_drop: Asks for the fastest that loses at most so many points of mIoU, from 0 to 100.
        min_fps: Asks for the most accurate that reaches so many end-to-end FPS, above 0.

    Raises:
        InputError: Both limits or none, or one out of its range.
        MpmError: Something cannot be built or measured; it is found before hours are lost.
    """
    _check_limits(max_drop, min_fps)
    plan = make_plan(
        recipe,
        dataset,
        root=root,
        methods=methods,
        schedules=schedules,
        output=output,
        settings=Settings(limit, timed, batch_size, repeats, device, threads),
        progress=progress,
    )
    sights = first_sight(plan.recipe, plan.dataset, plan.variants, limit, progress)
    if max_drop is not None:
        return advise_by_accuracy(plan.sweeper, sights, max_drop)
    return advise_by_speed(plan.sweeper, sights, min_fps or 0.0)


def first_sight(
    recipe: Recipe,
    dataset: Dataset,
    variants: Sequence[MergeRecipe],
    limit: int | None,
    progress: Callable[[str], None] | None = None,
) -> list[Sight]:
    """Run the eager model of every variant over a data set.

    Args:
        recipe: The recipe of the model; on a CPU it computes in float32, in which eager code is
            fastest.
        dataset: Images with label maps.
        variants: Ways of merging.
        limit: First samples; None is all.
        progress: Told each variant as it begins.
    """
    say = progress or (lambda _: None)
    sights = []
    for number, merge in enumerate(variants, start=1):
        say(f"first sight {number}/{len(variants)}: {name_of(merge)}, eager")
        opened = open_eager(dataclasses.replace(recipe, merge=merge))
        manifest = opened.manifest
        evaluation = evaluate(opened, dataset, limit=limit)
        tokens = (manifest.patches, *(round(kept) for kept in evaluation.tokens_kept))
        gflops = manifest.flops.total(tokens) / 1e9
        sights.append(Sight(merge, accuracy_of(evaluation).mean_iou, gflops))
    return sights


def advise_by_accuracy(sweeper: Sweeper, sights: Sequence[Sight], max_drop: float) -> Advice:
    """Find the fastest variant that loses at most so many points of mIoU.

    Args:
        sweeper: Builds and measures the variants.
        sights: The first sight of every variant.
        max_drop: Points of mIoU, from 0 to 100, below the full-token model.
    """
    full_token = sweeper.sweep.full_token
    floor = full_token.accuracy.mean_iou - max_drop / 100
    likely = sorted((s for s in sights if s.mean_iou >= floor), key=lambda sight: sight.gflops)
    kept: list[SweepRow] = []
    measured: list[SweepRow] = []
    for sight in likely:
        row = sweeper.measure(sight.merge)
        if row is not None:
            measured.append(row)
            if row.accuracy.mean_iou >= floor:
                kept.append(row)
        if len(kept) == FINALISTS:
            break
    best = max((full_token, *kept), key=lambda row: row.speed.end_to_end_fps_ratio.median)
    return _advice(sweeper, best, measured, sights)


def advise_by_speed(sweeper: Sweeper, sights: Sequence[Sight], min_fps: float) -> Advice:
    """Find the most accurate variant that reaches so many end-to-end FPS.

    Args:
        sweeper: Builds and measures the variants.
        sights: The first sight of every variant.
        min_fps: Images a second, from files to label maps.
    """
    full_token = sweeper.sweep.full_token
    if full_token.speed.end_to_end_fps >= min_fps:
        return _advice(sweeper, full_token, (), sights)
    most_gflops = _HOPE * full_token.speed.gflops * full_token.speed.end_to_end_fps / min_fps
    likely = sorted((s for s in sights if s.gflops <= most_gflops), key=lambda s: -s.mean_iou)
    measured: list[SweepRow] = []
    for sight in likely:
        row = sweeper.measure(sight.merge)
        if row is not None:
            measured.append(row)
            if row.speed.end_to_end_fps >= min_fps:
                return _advice(sweeper, row, measured, sights)
    return _advice(sweeper, None, measured, sights)


def _advice(
    sweeper: Sweeper, best: SweepRow | None, measured: Sequence[SweepRow], sights: Sequence[Sight]
) -> Advice:
    found = sweeper.sweep
    return Advice(best, found.full_token, tuple(measured), len(sights), found.subject, found.doubts)


def _check_limits(max_drop: float | None, min_fps: float | None) -> None:
    drop = None if max_drop is None else finite_number("max_drop", max_drop)
    fps = None if min_fps is None else finite_number("min_fps", min_fps)
    if (drop is None) == (fps is None):
        raise InputError(
            f"advise: expected max_drop or min_fps, got {max_drop} and {min_fps}",
            "max_drop=1 for the fastest that loses at most a point of mIoU, or min_fps=30 for the "
            "most accurate that is so fast",
        )
    if drop is not None and not 0 <= drop <= 100:
        raise InputError(f"max_drop: expected 0 to 100 points of mIoU, got {max_drop}")
    if fps is not None and fps <= 0:
        raise InputError(f"min_fps: expected a number above 0, got {min_fps}")

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

from mpm_deploy.builder.build import open_eager
from mpm_deploy.measure.accuracy.datasets import Dataset
from mpm_deploy.measure.accuracy.evaluate import evaluate
from mpm_deploy.measure.search.sweep import SweepRow
from mpm_deploy.measure.search.sweeper import Sweeper, accuracy_of
from mpm_deploy.measure.search.variants import name_of
from mpm_deploy.recipe import MergeRecipe, Recipe

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
    """

    best: SweepRow | None
    full_token: SweepRow
    measured: tuple[SweepRow, ...]


def first_sight(
    recipe: Recipe,
    dataset: Dataset,
    variants: Sequence[MergeRecipe],
    limit: int | None,
    progress: Callable[[str], None],
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
    sights = []
    for number, merge in enumerate(variants, start=1):
        progress(f"first sight {number}/{len(variants)}: {name_of(merge)}, eager")
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
    return Advice(best, full_token, tuple(measured))


def advise_by_speed(sweeper: Sweeper, sights: Sequence[Sight], min_fps: float) -> Advice:
    """Find the most accurate variant that reaches so many end-to-end FPS.

    Args:
        sweeper: Builds and measures the variants.
        sights: The first sight of every variant.
        min_fps: Images a second, from files to label maps.
    """
    full_token = sweeper.sweep.full_token
    if full_token.speed.end_to_end_fps >= min_fps:
        return Advice(full_token, full_token, ())
    most_gflops = _HOPE * full_token.speed.gflops * full_token.speed.end_to_end_fps / min_fps
    likely = sorted((s for s in sights if s.gflops <= most_gflops), key=lambda s: -s.mean_iou)
    measured: list[SweepRow] = []
    for sight in likely:
        row = sweeper.measure(sight.merge)
        if row is not None:
            measured.append(row)
            if row.speed.end_to_end_fps >= min_fps:
                return Advice(row, full_token, tuple(measured))
    return Advice(None, full_token, tuple(measured))

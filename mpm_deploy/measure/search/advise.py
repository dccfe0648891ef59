"""Advises a way of merging: the fastest that is accurate enough, or the most accurate
that is fast enough.

    variants ─▶ first look ─▶ those worth a build, by their FLOPs:   ○ ○ ● ● ● ● ●
                                                                         └ the limit

As FLOPs rise, FPS fall and accuracy rises: the limit lies between two neighbors, which are found
by halves. What is answered was measured on the artifact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpm_deploy.datasets import Dataset
from mpm_deploy.errors import InputError
from mpm_deploy.measure.search.plan import make_plan
from mpm_deploy.measure.search.settings import BUILDS, Settings
from mpm_deploy.measure.search.sweep import Sight, Subject, SweepRow
from mpm_deploy.measure.search.sweeper import Sweeper
from mpm_deploy.measure.search.variants import Schedule
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.support.numbers import finite_number, whole_number


@dataclass(frozen=True)
class Advice:
    """The row that is best within the limit, which may be the full-token one, and all
    rows measured.

    Attributes:
        best: The best row; None where nothing keeps the limit, not even the full-token model.
        full_token: The full-token model's row, which the best one is compared with.
        measured: Every row that was measured for it.
        seen: How many ways of merging there are.
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
    builds: int = BUILDS,
    output: str | Path = "sweep",
    limit: int | None = None,
    timed: int = Settings.timed,
    batch_size: int = Settings.batch_size,
    repeats: int = Settings.repeats,
    device: str | None = None,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Advice:
    """Find the way of merging that is best within a limit, by measuring the likely ones.

    Args:
        recipe: As `sweep` takes it, as all that is not named here.
        dataset: Images with label maps, or without.
        schedules: As `sweep` takes it; of them too only what may be the answer is built.
        builds: How many ways of merging are taken for likely; the limit is found among them, with
            four builds for ten.
        max_drop: Asks for the fastest that loses at most so many points of mIoU, from 0 to 100.
        min_fps: Asks for the most accurate that reaches so many end-to-end FPS, above 0.

    Raises:
        InputError: Both limits or none, or one out of its range.
        MpmError: Something cannot be built or measured; it is found before hours are lost.
    """
    _check_limits(max_drop, min_fps)
    builds = whole_number("builds", builds)
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
    best: SweepRow | None
    if max_drop is not None:
        best, measured = fastest(plan.sweeper, plan.variants, builds, max_drop)
    else:
        best, measured = most_accurate(plan.sweeper, plan.variants, builds, min_fps or 0.0)
    found = plan.sweeper.sweep
    seen = len(plan.variants)
    return Advice(best, found.full_token, tuple(measured), seen, found.subject, found.doubts)


def fastest(
    sweeper: Sweeper, merges: Sequence[MergeRecipe], builds: int, max_drop: float
) -> tuple[SweepRow, list[SweepRow]]:
    """Find the fastest way of merging that loses at most so many points of mIoU.

    Args:
        sweeper: Looks at ways of merging, and builds and measures them.
        merges: Ways of merging.
        builds: The most that are taken for likely.
        max_drop: Points of mIoU, from 0 to 100, below the full-token model.

    Returns:
        The fastest row, which may be the full-token model's, and all that were measured.
    """
    full_token = sweeper.sweep.full_token
    floor = full_token.accuracy.mean_iou - max_drop / 100
    likely = sorted(sweeper.worth_a_build(merges, builds), key=lambda sight: sight.gflops)
    measured = _by_halves(sweeper, likely, lambda row: row.accuracy.mean_iou >= floor)
    kept = [row for row in measured if row.accuracy.mean_iou >= floor]
    best = max((full_token, *kept), key=lambda row: row.speed.end_to_end_fps_ratio.median)
    return best, measured


def most_accurate(
    sweeper: Sweeper, merges: Sequence[MergeRecipe], builds: int, min_fps: float
) -> tuple[SweepRow | None, list[SweepRow]]:
    """Find the most accurate way of merging that reaches so many end-to-end FPS.

    Args:
        sweeper: Looks at ways of merging, and builds and measures them.
        merges: Ways of merging.
        builds: The most that are taken for likely.
        min_fps: Images a second, from files to label maps.

    Returns:
        The most accurate row, None where none is fast enough, and all that were measured; where the
        full-token model is fast enough it is that one, and none is looked at.
    """
    full_token = sweeper.sweep.full_token
    if full_token.speed.end_to_end_fps >= min_fps:
        return full_token, []
    likely = sorted(sweeper.worth_a_build(merges, builds), key=lambda sight: -sight.gflops)
    measured = _by_halves(sweeper, likely, lambda row: row.speed.end_to_end_fps >= min_fps)
    kept = [row for row in measured if row.speed.end_to_end_fps >= min_fps]
    return max(kept, key=lambda row: row.accuracy.mean_iou, default=None), measured


def _by_halves(
    sweeper: Sweeper, likely: Sequence[Sight], keeps: Callable[[SweepRow], bool]
) -> list[SweepRow]:
    """Measure the middle one, then the middle one of the half in which the limit lies, and so on.

    Args:
        sweeper: Builds and measures them; what cannot be built is passed over.
        likely: Ways of merging, from the one that is least likely to keep the limit to the most.
        keeps: Tells whether a row keeps the limit.
    """
    measured = []
    left = list(likely)
    while left:
        middle = len(left) // 2
        row = sweeper.measure(left[middle].merge)
        if row is None:
            del left[middle]
            continue
        measured.append(row)
        left = left[:middle] if keeps(row) else left[middle + 1 :]
    return measured


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

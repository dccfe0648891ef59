"""Makes tables and sentences that compare ways of merging, and say what is advised."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from rich.table import Table

from mpm_deploy.show.tables.style import new_table, number, percent, spread, tokens

if TYPE_CHECKING:
    from mpm_deploy.measure.search.advise import Advice
    from mpm_deploy.measure.search.sweep import Sweep, SweepRow


def sweep_table(sweep: Sweep) -> Table:
    """Make a table with a row for each way of merging, fastest last; the Pareto front is marked."""
    return rows_table(sweep.every_row(), sweep.front)


def rows_table(rows: Iterable[SweepRow], front: Collection[str] = ()) -> Table:
    """Make a table of a sweep's rows, by their speed."""
    table = new_table(
        *("merging", "mIoU", "drop", "boundary F", "end-to-end FPS", "× full-token"),
        *("× model", "× FLOPs", "GFLOPs", "tokens kept", "front"),
        justify="right",
    )
    table.columns[0].justify = "left"
    first, *others = rows
    for row in (first, *sorted(others, key=lambda row: row.speed.end_to_end_fps_ratio.median)):
        speed, drop = row.speed, first.accuracy.mean_iou - row.accuracy.mean_iou
        table.add_row(
            row.name,
            f"{100 * row.accuracy.mean_iou:.2f}",
            f"{100 * drop:.2f}",
            percent(row.accuracy.boundary_f_score),
            number(speed.end_to_end_fps),
            spread(speed.end_to_end_fps_ratio),
            f"{speed.model_fps_ratio.median:.2f}",
            f"{speed.flop_ratio:.2f}",
            number(speed.gflops),
            tokens(speed.tokens_kept.mean),
            "●" if row.name in front else "",
        )
    return table


def skipped_table(sweep: Sweep) -> Table:
    """Make a table with a row for each way of merging that was not worth a build, and why."""
    table = new_table("not built", "× FLOPs", "agreement", "why", justify="right")
    table.columns[0].justify = table.columns[-1].justify = "left"
    for sight in sorted(sweep.skipped(), key=lambda sight: -sight.gflops):
        flop_ratio = sweep.full_token.speed.gflops / sight.gflops
        why = sight.skipped or ""
        table.add_row(sight.name, f"{flop_ratio:.2f}", percent(sight.agreement), why)
    return table


def row_summary(row: SweepRow) -> str:
    """Describe one row in a line."""
    ratio = spread(row.speed.end_to_end_fps_ratio)
    return f"{row.name}: mIoU {100 * row.accuracy.mean_iou:.2f}, end to end × {ratio}"


def sweep_remarks(sweep: Sweep) -> list[str]:
    """Say what the table does not: what accuracy is compared with, and where MPM is not
    the fastest.
    """
    from mpm_deploy.measure.search.sweep import not_matched

    full_token, settings = sweep.full_token, sweep.subject.settings
    truth = "true label maps" if sweep.subject.truth == "labels" else "the full-token model's"
    remarks = [
        f"mIoU over {full_token.accuracy.images} images, against {truth}; FPS over "
        f"{full_token.speed.images}, batch {settings.batch_size}, "
        "each artifact in turns with the full-token one."
    ]
    skipped = sweep.skipped()
    if skipped:
        remarks.append(
            f"Looked at on {len(skipped[0].agreements)} images and not built, as others have fewer "
            f"FLOPs or agree more with the full-token model: {len(skipped)}."
        )
    beaten = not_matched(sweep)
    if not beaten and {row.merge.method for row in sweep.rows} > {"mpm"}:
        remarks.append("No other method is faster than mpm at an mIoU that mpm reaches.")
    remarks += [f"{_standing(other)}; {_rival(best)}." for other, best in beaten]
    remarks += [f"{failure.name} cannot be built: {failure.reason}." for failure in sweep.failures]
    return remarks


def _rival(best: SweepRow | None) -> str:
    if best is None:
        return "no mpm that was measured reaches this mIoU"
    return f"the fastest of at least its mIoU is {_standing(best)}"


def _standing(row: SweepRow) -> str:
    ratio = spread(row.speed.end_to_end_fps_ratio)
    return f"{row.name} with × {ratio} at {100 * row.accuracy.mean_iou:.2f}"


def advice_sentence(advice: Advice) -> str:
    """Say what is best within the limit, how many variants were measured, and what it costs."""
    measured = f"{len(advice.measured)} of {advice.seen} ways of merging were built and measured"
    if advice.best is None:
        return f"Nothing keeps the limit; {measured}."
    row, full = advice.best, advice.full_token
    drop = 100 * (full.accuracy.mean_iou - row.accuracy.mean_iou)
    of = "mIoU" if advice.subject.truth == "labels" else "mIoU against the full-token model"
    return (
        f"{row.name}: × {spread(row.speed.end_to_end_fps_ratio)} of the full-token model's "
        f"end-to-end FPS ({number(row.speed.end_to_end_fps)}), {drop:.2f} points of {of} lost; "
        f"{measured}."
    )

"""Makes tables on speed: what a bench measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from mpm_deploy.show.tables.style import new_table, number, spread, tokens

if TYPE_CHECKING:
    from mpm_deploy.measure.speed.report import Measurement, Ratio, Report
    from mpm_deploy.support.contention import Contention

# From where on a program counts as held back. A machine at rest stays below.
_OTHERS_CORES = 0.2
_INTERRUPTIONS = 20  # a second
_THROTTLED = 2  # a second

RANDOM_WEIGHTS = "The weights are random: speeds are real, label maps mean nothing."


def report_title(report: Report) -> str:
    """Say what was measured, and on what."""
    artifact, host = report.artifact, report.host
    return (
        f"{artifact.path}: {artifact.model}, {artifact.weights} weights, {artifact.backend} "
        f"{artifact.dtype}, {host.gpu or host.cpu}, {host.threads} threads, torch {host.torch}"
    )


def results_table(results: Iterable[Measurement]) -> Table:
    """Make a table with one row per batch size; tokens kept and GFLOPs are means over
    the images.
    """
    rows = list(results)
    tells_memory = any(row.peak_memory_mib is not None for row in rows)  # older reports do not
    table = new_table(
        *("batch", "end-to-end FPS", "model FPS", "p50 ms", "p90 ms", "p99 ms"),
        *("tokens kept", "GFLOPs", *(["peak MiB"] if tells_memory else [])),
        justify="right",
    )
    for row in rows:
        latency = row.latency_ms
        table.add_row(
            str(row.batch_size),
            number(row.end_to_end_fps),
            number(row.model_fps),
            *(number(percentile) for percentile in (latency.p50, latency.p90, latency.p99)),
            tokens(row.tokens_kept.mean),
            number(row.gflops),
            *([number(row.peak_memory_mib)] if tells_memory else []),
        )
    return table


def comparison_table(results: Iterable[Ratio]) -> Table:
    """Make a table of how many times faster the artifact is than the other, median
    (least – most).
    """
    table = new_table(
        *("batch", "repeats", "model FPS ratio", "end-to-end FPS ratio", "FLOP ratio"),
        justify="right",
    )
    for row in results:
        table.add_row(
            str(row.batch_size),
            str(row.repeats),
            spread(row.model_fps_ratio, row.repeats),
            spread(row.end_to_end_fps_ratio, row.repeats),
            f"{row.flop_ratio:.2f}",
        )
    return table


def contention_sentence(report: Report) -> str | None:
    """Say what held the program back, where it was enough to slow it; None where it was not."""
    others = report.comparison.results if report.comparison else ()
    measured = (*report.results, *(ratio.against for ratio in others))
    told = [row.contention for row in measured if row.contention is not None]
    causes = [*_interrupted(told), *_throttled(told)]
    if not causes:
        return None
    return f"The machine was contended, and speeds are lower for it: {'; '.join(causes)}."


def _interrupted(told: Iterable[Contention]) -> Iterator[str]:
    # It interrupts itself too, but then no one else keeps its cores busy.
    interrupted = [row for row in told if row.interruptions >= _INTERRUPTIONS]
    cores = max((row.others_cores for row in interrupted), default=0.0)
    if cores >= _OTHERS_CORES:
        yield f"other processes kept {cores:.1f} of its cores busy"


def _throttled(told: Iterable[Contention]) -> Iterator[str]:
    throttled = max((row.throttled for row in told), default=0.0)
    if throttled >= _THROTTLED:
        yield f"a CPU quota stopped it {throttled:.0f} times a second"

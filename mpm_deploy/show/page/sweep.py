"""Makes the page's section on a sweep: every way of merging by its speed and accuracy.

mIoU │  ■─●          ●: mpm   ▲: tome   ◆: algm   ■: full-token
     │     ╲●  ▲     the line joins what no other beats in both
     └────────────
       × full-token
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mpm_deploy.families import REDUCTIONS
from mpm_deploy.measure.search.sweep import Sweep, SweepRow
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.show.charts import Line, Point, scatter_chart
from mpm_deploy.show.page.speed import Chart
from mpm_deploy.show.tables import row_summary, sweep_remarks, sweep_table

_COLORS = 5  # c0 to c4 of the charts, a method each; the full-token model is gray
_SPEED, _ACCURACY = "end-to-end FPS, times the full-token model's", "mIoU, %"


@dataclass(frozen=True)
class SweepSection:
    """The section on one sweep."""

    title: str
    subtitle: str
    chart: Chart
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def sweep_sections(sweeps: Sequence[Sweep]) -> list[SweepSection]:
    """Make one section per sweep."""
    return [_section(sweep) for sweep in sweeps]


def sweep_chart(sweep: Sweep) -> str:
    """Draw accuracy against speed as SVG; the rows of the Pareto front are joined and labeled.

    Raises:
        MissingPackageError: Altair or vl-convert is not installed.
    """
    points = {row.name: _point(row, row.name in sweep.front) for row in sweep.every_row()}
    front = Line(tuple(points[name] for name in sweep.front))
    legend = {_color(row.merge): _title(row.merge) for row in sweep.every_row()}
    every = list(points.values())
    return scatter_chart(every, _SPEED, _ACCURACY, "accuracy against speed", [front], legend)


def _section(sweep: Sweep) -> SweepSection:
    table = sweep_table(sweep)
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    where, backend = sweep.host, sweep.subject.recipe["backend"]
    return SweepSection(
        title="Ways of merging",
        subtitle=f"{backend['name']} {backend['dtype']} on {where.gpu or where.cpu}, "
        f"{where.threads} threads",
        chart=Chart(
            "Accuracy against speed",
            "up and to the right is better; the line joins what no other beats",
            sweep_chart(sweep),
        ),
        head=tuple(str(column.header) for column in table.columns),
        rows=tuple(zip(*cells, strict=True)),
        notes=tuple(sweep_remarks(sweep)),
    )


def _point(row: SweepRow, labelled: bool) -> Point:
    blocks = ", ".join(map(str, row.merge.blocks))
    return Point(
        x=row.speed.end_to_end_fps_ratio.median,
        y=100 * row.accuracy.mean_iou,
        title=row_summary(row),
        color=_color(row.merge),
        label=blocks if labelled else "",
    )


def _color(merge: MergeRecipe) -> str:
    if not merge.blocks:
        return "full"
    return f"c{list(REDUCTIONS).index(merge.method) % _COLORS}"


def _title(merge: MergeRecipe) -> str:
    return str(merge.member.title) if merge.blocks else "full-token"

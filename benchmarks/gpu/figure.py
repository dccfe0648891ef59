"""Plots what merging gains beside what its FLOPs allow: all rows at the largest batch.

model FPS ratio │        ╱        on the line a model is as much faster as it computes less
                │     ╱ ●         ●: MPM   ▲: ToMe   ◆: ALGM, each against full-token
                └──────────
                 FLOP ratio
"""

from benchmarks.gpu.results import GpuRecord, PartResult, timed
from benchmarks.gpu.targets import ratio_of
from mpm_deploy.show.charts import Line, Point, scatter_chart

_COLORS = {"mpm": "c0", "tome": "c1", "algm": "c2"}
_NAMES = {"mpm": "MPM", "tome": "ToMe", "algm": "ALGM"}


def chart(record: GpuRecord) -> str:
    """Draw the plot as SVG, with color names that a page resolves.

    Raises:
        MissingPackageError: Altair or vl-convert is not installed.
    """
    parts = timed(record.parts)
    points = [_point(part) for part in parts]
    methods = [name for name in _NAMES if any(part.method == name for part in parts)]
    most = max(max(point.x, point.y) for point in points)
    diagonal = tuple(Point(at, at, "as fast as FLOPs allow", "soft") for at in (1.0, most))
    return scatter_chart(
        points,
        "FLOPs of full-token, times those of merged",
        "model FPS of merged, times full-token's",
        "what merging gains beside what its FLOPs allow",
        [Line(diagonal)],
        {_COLORS[name]: _NAMES[name] for name in methods},
    )


def _point(part: PartResult) -> Point:
    ratio = ratio_of(part.speed)
    said = f"{part.name}, batch {ratio.batch_size}: × {ratio.model_fps_ratio.median:.2f}"
    return Point(
        x=ratio.flop_ratio,
        y=ratio.model_fps_ratio.median,
        title=f"{said} where FLOPs allow × {ratio.flop_ratio:.2f}",
        color=_COLORS[part.method],
    )

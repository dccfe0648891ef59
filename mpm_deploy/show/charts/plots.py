"""Draws the four kinds of charts with Altair. Each function may raise `MissingPackageError`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.show.charts.marks import Bar, Group, Line, Point, Stack
from mpm_deploy.show.charts.svg import draw
from mpm_deploy.show.charts.theme import BAR, CONFIG, NAMES, SHAPES, VARIABLES, WIDTH

_VALUE_WIDTH = 62  # kept free for the text after a bar
_VALUE_TEXT = {"align": "left", "dx": 6, "fontWeight": 600}
_LONG = 22  # letters: what is longer has a line of a legend for itself

Legend = Mapping[str, str]  # what each color stands for


def bar_chart(
    groups: Sequence[Group], most: float | None = None, name: str = "", legend: Legend | None = None
) -> str:
    """Draw horizontal bars in groups, from 0.

        batch 1                          a group
        ██████████████████████ 21.3      its bars: value at the end, ├┤ the spread, ┃ a mark
        ███████████████ 14.4

    Args:
        groups: Top to bottom.
        most: The value at the right end, to hold charts to one scale; None is the largest here.
        name: What the chart shows, for those who cannot see it.
        legend: The legend to draw; None where the page says what the colors mean.
    """
    alt = _altair()
    length = _lengths(most or largest(groups))
    charts = [_group(group, length, legend) for group in groups]
    return _drawn(alt.vconcat(*charts, spacing=12), name)


def largest(groups: Sequence[Group]) -> float:
    """Return the largest value that bars, spreads or marks reach."""
    reached = [0.0]
    for group in groups:
        reached += [group.mark or 0.0, *(bar.value for bar in group.bars)]
        reached += [bar.spread[1] for bar in group.bars if bar.spread]
    return max(reached) or 1.0


def stacked_chart(stacks: Sequence[Stack], name: str = "", legend: Legend | None = None) -> str:
    """Draw horizontal stacked bars, all from 0 and on one scale."""
    alt = _altair()
    length = _lengths(max(sum(part.value for part in stack.segments) for stack in stacks) or 1.0)
    charts = [_stack(stack, length, legend) for stack in stacks]
    return _drawn(alt.vconcat(*charts, spacing=12), name)


def column_chart(
    counts: Sequence[int], labels: Sequence[str], titles: Sequence[str], color: str, name: str = ""
) -> str:
    """Draw a histogram: a column for each count, its label below where there is room."""
    alt = _altair()
    rows = [
        {"count": count, "label": label, "title": title, "text": f"{count:,}"}
        for count, label, title in zip(counts, labels, titles, strict=True)
    ]
    room = 1.12 * (max(counts) or 1)  # for a figure above the highest
    base = _table(rows).encode(
        alt.X("label:N", sort=None, axis=alt.Axis(title=None, labelOverlap=True)),
        alt.Y("count:Q", stack=None, axis=None, scale=alt.Scale(domain=(0, room), nice=False)),
    )
    columns = base.mark_bar(fill=f"var(--{color})").encode(description="title:N")
    highest = base.transform_filter(f"datum.count == {max(counts)}")
    text = highest.mark_text(dy=-8, fontWeight=600).encode(text="text:N")
    return _drawn(_with_axes(columns + text, 130), name)


def scatter_chart(
    points: Sequence[Point],
    x_label: str,
    y_label: str,
    name: str = "",
    lines: Sequence[Line] = (),
    legend: Legend | None = None,
) -> str:
    """Draw points over two axes, with lines beneath them.

    A label stands above and to the right of its point, where a Pareto front leaves room.
    """
    alt = _altair()
    wide = min(point.x for point in points) < max(point.x for point in points) / 2
    room = _with_room([point.y for point in points], least=2.0)
    x_axis = alt.Axis(title=x_label, grid=False, tickCount=5)
    y_axis = alt.Axis(title=None, domain=False, tickCount=5)
    x_scale = alt.Scale(zero=True) if wide else alt.Scale(zero=False, padding=8)
    x = alt.X("x:Q", axis=x_axis, scale=x_scale)
    y = alt.Y("y:Q", axis=y_axis, scale=alt.Scale(domain=room, nice=5))
    shapes = alt.Scale(domain=NAMES, range=SHAPES)
    shape = alt.Shape("color:N", scale=shapes, legend=_legend(legend))

    dots = _table([asdict(point) for point in points]).encode(x, y)
    chart = alt.layer(
        *(_line(line).encode(x, y) for line in lines),
        dots.mark_point(filled=True).encode(_color(legend), shape, description="title:N"),
        dots.mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(text="label:N"),
    ).properties(title=y_label)
    return _drawn(_with_axes(chart, 180), name)


def _group(group: Group, length: Callable[[str], Any], legend: Legend | None) -> Any:
    alt = _altair()
    bars = [{"row": row, **_row(bar, group.mark)} for row, bar in enumerate(group.bars)]
    base = _table(bars).encode(alt.Y("row:O", axis=None), description="title:N")
    spread = base.transform_filter("datum.least < datum.most")
    layers = [
        base.mark_bar().encode(length("value").stack(None), _color(legend)),
        spread.mark_rule().encode(length("least"), x2="most"),
        *(spread.mark_tick(size=6).encode(length(end)) for end in ("least", "most")),
        base.mark_text(**_VALUE_TEXT).encode(length("end"), text="text:N"),
    ]
    if group.mark is not None:
        mark = _table([{"mark": group.mark, "title": group.mark_title}])
        layers.append(mark.mark_rule(strokeWidth=2).encode(length("mark"), description="title:N"))
    return alt.layer(*layers).properties(title=group.label, width=WIDTH, height=alt.Step(BAR + 2))


def _row(bar: Bar, mark: float | None) -> dict[str, Any]:
    """Return a bar's data with the ends of its whisker, and with the place, clear of the mark,
    where its text begins.
    """
    least, most = bar.spread or (bar.value, bar.value)
    right = max(bar.value, most)
    return {**asdict(bar), "least": least, "most": most, "end": max(right, mark or right)}


def _stack(stack: Stack, length: Callable[[str], Any], legend: Legend | None) -> Any:
    alt = _altair()
    segments = [{"order": order, **asdict(part)} for order, part in enumerate(stack.segments)]
    total = {"total": sum(part.value for part in stack.segments), "text": stack.text}
    bars = _table(segments).mark_bar(size=BAR, cornerRadiusEnd=0)
    text = _table([total]).mark_text(**_VALUE_TEXT)
    chart = alt.layer(
        bars.encode(length("value"), _color(legend), order="order:Q", description="title:N"),
        text.encode(length("total"), text="text:N"),
    )
    return chart.properties(title=stack.label, width=WIDTH, height=BAR + 2)


def _line(line: Line) -> Any:
    joined = [{"x": point.x, "y": point.y, "order": i} for i, point in enumerate(line.points)]
    return _table(joined).mark_line(stroke=f"var(--{line.color})").encode(order="order:Q")


def _table(rows: list[dict[str, Any]]) -> Any:
    alt = _altair()
    return alt.Chart(alt.Data(values=rows))


def _lengths(most: float) -> Callable[[str], Any]:
    """Return a function that encodes a field as a length; there is room for text after
    the longest.
    """
    alt = _altair()
    scale = alt.Scale(domain=(0, most * WIDTH / (WIDTH - _VALUE_WIDTH)), nice=False)
    return lambda field: alt.X(f"{field}:Q", scale=scale, axis=None)


def _color(legend: Legend | None) -> Any:
    alt = _altair()
    variables = alt.Scale(domain=NAMES, range=VARIABLES)
    return alt.Color("color:N", scale=variables, legend=_legend(legend))


def _legend(legend: Legend | None) -> Any:
    if not legend:
        return None
    text = f"{json.dumps(dict(legend))}[datum.value]"
    columns = 1 if max(map(len, legend.values())) > _LONG else 2
    return _altair().Legend(values=list(legend), labelExpr=text, columns=columns)


def _with_room(values: Sequence[float], least: float) -> tuple[float, float]:
    """Return a range around the values, wide enough that a small difference looks small."""
    middle = (min(values) + max(values)) / 2
    half = max((max(values) - min(values)) * 0.75, least / 2)
    return middle - half, middle + half


def _with_axes(chart: Any, height: int) -> Any:
    """Make a chart as wide as every other, axes included."""
    return chart.properties(width=WIDTH, height=height, autosize="fit-x")


def _drawn(chart: Any, name: str) -> str:
    return draw(chart.properties(padding=0).configure(**CONFIG).to_dict(), name)


def _altair() -> Any:
    try:
        import altair
    except ImportError as error:
        raise MissingPackageError(
            "drawing charts needs Altair", "pip install 'mpm-deploy[report]'"
        ) from error
    return altair

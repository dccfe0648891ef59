"""Charts as plain SVG, made here and by no library.

Four marks are all that the page needs, and three wishes rule the libraries out: colours come from
the page's style sheet, so that one SVG is right in light and dark; text keeps its size on a phone;
and nothing runs, so that hovering is the browser's own ``<title>``. Elements are made by
`xml.etree`, which escapes what stands in them.

        batch 1                          a group
        ██████████████████████ 21.3      its bars: value at the end, ├┤ the spread, ┃ a mark
        ███████████████ 14.4

Lengths are in units of the view box, which is `WIDTH` wide: about a pixel on a phone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

WIDTH = 340.0
_BAR, _GAP, _LABEL, _BETWEEN = 16.0, 2.0, 18.0, 12.0  # heights
_VALUE = 62.0  # width kept free for the text after a bar


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        value: Its length, 0 or more.
        text: Stands at its end.
        title: Shows on hovering.
        color: A class of the style sheet.
        spread: Least and most, drawn as a whisker.
    """

    value: float
    text: str
    title: str
    color: str
    spread: tuple[float, float] | None = None


@dataclass(frozen=True)
class Group:
    """Bars under one label; ``mark`` is a value to reach, drawn as a line across them."""

    label: str
    bars: tuple[Bar, ...]
    mark: float | None = None
    mark_title: str = ""


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar."""

    value: float
    title: str
    color: str


@dataclass(frozen=True)
class Stack:
    """One stacked bar, with what it sums up to."""

    label: str
    segments: tuple[Segment, ...]
    text: str


@dataclass(frozen=True)
class Point:
    """One point of a scatter plot."""

    x: float
    y: float
    title: str
    color: str


def bar_chart(groups: Sequence[Group], most: float | None = None, name: str = "") -> str:
    """Horizontal bars in groups, from 0.

    Args:
        groups: Top to bottom.
        most: The value at the right end, to hold charts to one scale; None is the largest here.
        name: What the chart shows, for those who cannot see it.
    """
    most = most or largest(groups)
    heights = [_LABEL + len(group.bars) * (_BAR + _GAP) for group in groups]
    svg = _svg(sum(heights) + _BETWEEN * (len(groups) - 1), name)
    top = 0.0
    for group, height in zip(groups, heights, strict=True):
        _draw_group(svg, group, top, most)
        top += height + _BETWEEN
    return _text(svg)


def largest(groups: Sequence[Group]) -> float:
    """The largest value that bars, spreads or marks reach."""
    reached = [0.0]
    for group in groups:
        reached += [group.mark or 0.0, *(bar.value for bar in group.bars)]
        reached += [bar.spread[1] for bar in group.bars if bar.spread]
    return max(reached) or 1.0


def stacked_chart(stacks: Sequence[Stack], name: str = "") -> str:
    """Horizontal stacked bars, all from 0 and on one scale."""
    step = _LABEL + _BAR + _BETWEEN
    svg = _svg(step * len(stacks) - _BETWEEN, name)
    most = max(sum(segment.value for segment in stack.segments) for stack in stacks) or 1.0
    unit = (WIDTH - _VALUE) / most
    for index, stack in enumerate(stacks):
        top, left = index * step, 0.0
        _label(svg, 0, top + 12, stack.label, "label")
        for segment in stack.segments:
            width = segment.value * unit
            # a gap in the colour of the paper tells neighbours apart; what is thin keeps its width
            drawn = max(width - 1.5, min(width, 1.0))
            _box(svg, left, top + _LABEL, drawn, segment.color, segment.title)
            left += width
        _label(svg, left + 6, top + _LABEL + 12.5, stack.text, "value")
    return _text(svg)


def column_chart(
    counts: Sequence[int], labels: Sequence[str], titles: Sequence[str], color: str, name: str = ""
) -> str:
    """A histogram: a column for each count, its label below."""
    height, floor = 150.0, 130.0
    svg = _svg(height, name)
    step = WIDTH / len(counts)
    most = max(counts) or 1
    for index, (count, label, title) in enumerate(zip(counts, labels, titles, strict=True)):
        tall = (floor - 18) * count / most
        left = index * step
        path = _rounded_top(left + 1, floor - tall, step - 2, tall)
        mark = ET.SubElement(svg, "path", {"d": path, "class": f"mark {color}"})
        ET.SubElement(mark, "title").text = title
        if count == most:
            _label(svg, left + step / 2, floor - tall - 5, f"{count:,}", "value middle")
        _label(svg, left + step / 2, height - 5, label, "tick middle")
    _line(svg, (0, floor), (WIDTH, floor), "axis")
    return _text(svg)


def scatter_chart(points: Sequence[Point], x_label: str, y_label: str, name: str = "") -> str:
    """Points over two axes; those of one colour and height are joined by a thin line."""
    height, left, bottom, top = 250.0, 40.0, 206.0, 24.0
    svg = _svg(height, name)
    x_ticks = ticks(0.0, max(point.x for point in points))
    y_ticks = ticks(*_with_room([point.y for point in points], least=2.0))

    def x(value: float) -> float:
        return left + (WIDTH - left - 12) * value / x_ticks[-1]

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])

    for value in y_ticks:
        _line(svg, (left, y(value)), (WIDTH, y(value)), "grid")
        _label(svg, left - 6, y(value) + 4, f"{value:g}", "tick end")
    for value in x_ticks:
        _label(svg, x(value), bottom + 17, f"{value:g}", "tick middle")
    _line(svg, (left, bottom), (WIDTH, bottom), "axis")
    _label(svg, 0, 12, y_label, "tick")
    _label(svg, WIDTH, height - 8, x_label, "tick end")
    for one in points:
        _line(svg, (x(_least_x(points, one)), y(one.y)), (x(one.x), y(one.y)), f"rule {one.color}")
    for one in points:
        place = {"cx": _n(x(one.x)), "cy": _n(y(one.y)), "r": "5.5", "class": f"dot {one.color}"}
        ET.SubElement(ET.SubElement(svg, "circle", place), "title").text = one.title
    return _text(svg)


def ticks(least: float, most: float) -> list[float]:
    """Some round numbers, from at or below ``least`` to at or above ``most``."""
    rough = (most - least or 1.0) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    last = max(last, first + 1)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _with_room(values: Sequence[float], least: float) -> tuple[float, float]:
    """Around the values, at least so wide that a small difference looks small."""
    middle = (min(values) + max(values)) / 2
    half = max((max(values) - min(values)) * 0.75, least / 2)
    return middle - half, middle + half


def _least_x(points: Sequence[Point], one: Point) -> float:
    return min(p.x for p in points if (p.color, p.y) == (one.color, one.y))


def _draw_group(svg: ET.Element, group: Group, top: float, most: float) -> None:
    unit = (WIDTH - _VALUE) / most
    _label(svg, 0, top + 12, group.label, "label")
    for index, bar in enumerate(group.bars):
        y = top + _LABEL + index * (_BAR + _GAP)
        _box(svg, 0, y, bar.value * unit, bar.color, bar.title)
        right = bar.value
        if bar.spread and bar.spread[0] < bar.spread[1]:
            _whisker(svg, bar.spread[0] * unit, bar.spread[1] * unit, y + _BAR / 2)
            right = max(right, bar.spread[1])
        if group.mark is not None and right <= group.mark:
            right = max(right, group.mark)  # the text stands clear of the line
        _label(svg, right * unit + 6, y + 12.5, bar.text, "value")
    if group.mark is not None:
        low = top + _LABEL + len(group.bars) * (_BAR + _GAP)
        x = group.mark * unit
        line = _line(svg, (x, top + _LABEL - 4), (x, low + 2), "goal")
        ET.SubElement(line, "title").text = group.mark_title


def _whisker(svg: ET.Element, left: float, right: float, y: float) -> None:
    _line(svg, (left, y), (right, y), "whisker")
    for x in (left, right):
        _line(svg, (x, y - 3), (x, y + 3), "whisker")


def _box(svg: ET.Element, x: float, y: float, width: float, color: str, title: str) -> None:
    width = max(width, 0.5)
    place = {"x": _n(x), "y": _n(y), "width": _n(width), "height": _n(_BAR), "rx": "2"}
    box = ET.SubElement(svg, "rect", {**place, "class": f"mark {color}"})
    ET.SubElement(box, "title").text = title


def _rounded_top(x: float, y: float, width: float, height: float) -> str:
    r = min(3.0, height, width / 2)
    return (
        f"M{_n(x)} {_n(y + height)}v{_n(r - height)}q0 {_n(-r)} {_n(r)} {_n(-r)}"
        f"h{_n(width - 2 * r)}q{_n(r)} 0 {_n(r)} {_n(r)}v{_n(height - r)}z"
    )


def _svg(height: float, name: str) -> ET.Element:
    box = f"0 0 {_n(WIDTH)} {_n(height)}"
    return ET.Element("svg", {"viewBox": box, "role": "img", "aria-label": name})


def _label(svg: ET.Element, x: float, y: float, text: str, kind: str) -> None:
    ET.SubElement(svg, "text", {"x": _n(x), "y": _n(y), "class": kind}).text = text


def _line(
    svg: ET.Element, begin: tuple[float, float], end: tuple[float, float], kind: str
) -> ET.Element:
    place = {"x1": _n(begin[0]), "y1": _n(begin[1]), "x2": _n(end[0]), "y2": _n(end[1])}
    return ET.SubElement(svg, "line", {**place, "class": kind})


def _text(svg: ET.Element) -> str:
    return ET.tostring(svg, encoding="unicode")


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

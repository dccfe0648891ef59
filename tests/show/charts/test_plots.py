"""Charts: lengths are to scale, and every mark says what it is."""

import re
import sys
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.show.charts import (
    WIDTH,
    Bar,
    Group,
    Line,
    Point,
    Segment,
    Stack,
    bar_chart,
    column_chart,
    scatter_chart,
    stacked_chart,
)


def marks(svg: str, kind: str) -> Iterator[ET.Element]:
    """Of a kind that Vega names: rect, rule, text, symbol, line."""
    for group in ET.fromstring(svg).iter("g"):
        if f"mark-{kind} role-mark" in group.get("class", ""):
            yield from group


def numbers(text: str | None) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+", text or "")]


def boxes(svg: str) -> dict[str, tuple[float, float]]:
    """Left end and length of bars, plain or round, by what shows on hovering."""
    found: dict[str, tuple[float, float]] = {}
    for box in marks(svg, "rect"):
        outline = box.get("d", "")
        corners = numbers(outline)
        left, *others = corners[::2]
        length = corners[2] if "h" in outline else max(others) - left
        found.setdefault(box.findtext("title", ""), (left, length))
    return found


def places(svg: str, kind: str = "symbol") -> list[list[float]]:
    """Of points or texts, to the right and down."""
    return [numbers(mark.get("transform")) for mark in marks(svg, kind)]


def words(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter("text")]


def test_bars_are_to_scale() -> None:
    bars = (Bar(10.0, "10", "ten", "c0"), Bar(5.0, "5", "five", "full"))
    drawn = boxes(bar_chart([Group("a", bars)]))
    assert drawn["ten"][1] == pytest.approx(2 * drawn["five"][1])
    assert drawn["ten"][0] == drawn["five"][0] == 0
    held = boxes(bar_chart([Group("a", bars)], most=20.0))
    assert held["ten"][1] == pytest.approx(drawn["five"][1])


def test_bars_of_nothing_can_be_drawn() -> None:
    svg = bar_chart([Group("a", (Bar(0.0, "0", "none", "c0"),))])
    assert boxes(svg)["none"] == (0, 0)
    assert sorted(words(svg)) == ["0", "a"]


def test_texts_stand_clear_of_whiskers_and_marks() -> None:
    bars = (Bar(5.0, "beyond", "b", "c0", (4.0, 8.0)), Bar(2.0, "low", "l", "c0", (2.0, 2.0)))
    svg = bar_chart([Group("a", bars, mark=6.0, mark_title="six")])
    whisker, goal = marks(svg, "rule")
    (least, _), (six, _) = places(svg, "rule")
    length = float(whisker.get("x2", ""))
    assert length / least == pytest.approx((8.0 - 4.0) / 4.0)
    assert six / least == pytest.approx(6.0 / 4.0)
    assert (whisker.findtext("title"), goal.findtext("title")) == ("b", "six")
    (beyond, _), (low, _) = places(svg, "text")
    assert beyond == pytest.approx(least + length + 6)
    assert low == pytest.approx(six + 6)


def test_segments_are_to_scale_and_lie_in_a_row() -> None:
    stack = Stack("a", (Segment(30.0, "x", "c0"), Segment(10.0, "y", "c1")), "40")
    drawn = boxes(stacked_chart([stack]))
    assert drawn["x"][0] == 0
    assert drawn["y"][0] == pytest.approx(drawn["x"][1])
    assert drawn["x"][1] == pytest.approx(3 * drawn["y"][1])


def test_columns_say_what_they_are() -> None:
    svg = column_chart([3, 0, 1], ["0", "1", "2+"], ["three", "none", "one <&>"], "c0")
    titles = [title.text for title in ET.fromstring(svg).iter("title")]
    assert titles == ["three", "none", "one <&>"]
    assert words(svg) == ["0", "1", "2+", "3"]  # the highest says its figure


def test_a_histogram_of_nothing_can_be_drawn() -> None:
    assert words(column_chart([0, 0], ["a", "b"], ["", ""], "c0"))[:2] == ["a", "b"]


def test_points_lie_by_their_values() -> None:
    points = [Point(10.0, 50.0, "a", "c0"), Point(20.0, 60.0, "b", "c1"), Point(30, 70, "c", "c0")]
    svg = scatter_chart(points, "x", "y")
    low, middle, high = places(svg)
    assert low[0] < middle[0] < high[0]
    assert low[1] > middle[1] > high[1]
    assert middle[0] - low[0] == pytest.approx(high[0] - middle[0])
    circle, triangle, again = (dot.get("d") for dot in marks(svg, "symbol"))
    assert circle == again != triangle


def test_a_front_joins_points_in_order_and_labels_stand_beside_them() -> None:
    points = [Point(30.0, 60.0, "a", "c0", "(2, 5)"), Point(10.0, 70.0, "b", "c1")]
    svg = scatter_chart(points, "x", "y", lines=[Line(tuple(points))], legend={"c0": "MPM"})
    (line,) = marks(svg, "line")
    corners = [number for place in places(svg) for number in place]
    assert numbers(line.get("d")) == pytest.approx(corners, abs=0.001)  # written in three digits
    assert {"(2, 5)", "MPM"} < set(words(svg))
    assert "c1" not in words(svg)


def test_a_legend_is_text() -> None:
    text = '"<b>" \\ \'[0]'
    assert text in words(scatter_chart([Point(1, 1, "", "c0")], "x", "y", legend={"c0": text}))


def test_equal_values_can_be_drawn() -> None:
    assert len(places(scatter_chart([Point(10.0, 50.0, "a", "c0")] * 2, "x", "y"))) == 2


def test_charts_are_of_one_width() -> None:
    bars = bar_chart([Group("a", (Bar(1.0, "× 1.00", "", "c0"),))], name="speed")
    point = Point(10.0, 50.0, "a", "c0", "a label of some length")
    for svg in (bars, scatter_chart([point], "x", "y"), column_chart([1], ["a"], [""], "c0")):
        assert ET.fromstring(svg).get("width") == str(WIDTH)
    assert 'role="img" aria-label="speed"' in bars


def test_without_altair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingPackageError, match="Altair") as caught:
        bar_chart([])
    assert caught.value.hint == "pip install 'mpm-deploy[report]'"

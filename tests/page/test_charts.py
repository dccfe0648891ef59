"""Charts: lengths are to scale, and every mark says what it is."""

from xml.etree import ElementTree as ET

import pytest

from mpm_deploy.page.charts import (
    Bar,
    Group,
    Point,
    Segment,
    Stack,
    bar_chart,
    column_chart,
    scatter_chart,
    stacked_chart,
    ticks,
)


def widths(svg: str) -> list[float]:
    return [float(box.attrib["width"]) for box in ET.fromstring(svg).iter("rect")]


def test_bars_are_to_scale() -> None:
    bars = (Bar(10.0, "10", "ten", "c0"), Bar(5.0, "5", "five", "full"))
    long, short = widths(bar_chart([Group("a", bars)]))
    assert long == pytest.approx(2 * short)
    held, _ = widths(bar_chart([Group("a", bars)], most=20.0))
    assert held == pytest.approx(long / 2)


def test_bars_of_nothing_can_be_drawn() -> None:
    assert widths(bar_chart([Group("a", (Bar(0.0, "0", "none", "c0"),))])) == [0.5]


def test_segments_are_to_scale_and_lie_in_a_row() -> None:
    stack = Stack("a", (Segment(30.0, "x", "c0"), Segment(10.0, "y", "c1")), "40")
    one, other = ET.fromstring(stacked_chart([stack])).iter("rect")
    assert float(one.attrib["width"]) + 1.5 == pytest.approx(float(other.attrib["x"]))
    assert float(other.attrib["x"]) / 3 == pytest.approx(float(other.attrib["width"]) + 1.5)


def test_every_mark_says_what_it_is() -> None:
    svg = column_chart([3, 0, 1], ["0", "1", "2"], ["three", "none", "one <&>"], "c0")
    assert [title.text for title in ET.fromstring(svg).iter("title")] == [
        "three",
        "none",
        "one <&>",
    ]


def test_points_lie_by_their_values() -> None:
    points = [Point(10.0, 50.0, "a", "c0"), Point(20.0, 60.0, "b", "c1")]
    low, high = ET.fromstring(scatter_chart(points, "x", "y")).iter("circle")
    assert float(low.attrib["cx"]) < float(high.attrib["cx"])
    assert float(low.attrib["cy"]) > float(high.attrib["cy"])


def test_equal_values_can_be_drawn() -> None:
    points = [Point(10.0, 50.0, "a", "c0")] * 2
    assert len(list(ET.fromstring(scatter_chart(points, "x", "y")).iter("circle"))) == 2


@pytest.mark.parametrize(("least", "most"), [(0, 23.5), (68.5, 71), (0, 0.003), (-1, 1), (5, 5)])
def test_ticks_hold_what_they_are_for(least: float, most: float) -> None:
    found = ticks(least, most)
    assert 2 <= len(found) <= 7
    assert found[0] <= least
    assert found[-1] >= most

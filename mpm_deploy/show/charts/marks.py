"""Defines the marks that charts draw. A ``title`` shows on hovering; a ``color`` is a
name of the theme.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One bar: its length, 0 or more, the text at its end, and a whisker from least to most."""

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
    """One stacked bar, with the text of its sum."""

    label: str
    segments: tuple[Segment, ...]
    text: str


@dataclass(frozen=True)
class Point:
    """One point of a scatter plot, with its label beside it; points of one color have one shape."""

    x: float
    y: float
    title: str
    color: str
    label: str = ""


@dataclass(frozen=True)
class Line:
    """A line that joins points in their order, as a Pareto front does."""

    points: tuple[Point, ...]
    color: str = "soft"

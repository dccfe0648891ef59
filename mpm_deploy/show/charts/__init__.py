"""Draws charts as plain SVG: specified with Altair, drawn by vl-convert, without a
browser or the network.

    marks.py ──▶ plots.py ──▶ svg.py ──┬▶ in a page, with style_sheet
    what is      Altair       <svg>    ├▶ standalone: an .svg of its own
    drawn        theme.py              └▶ to_png

A chart is `WIDTH` units wide, about the pixels of a phone, so that its text keeps its size there.
Colors are names, ``var(--c0)``, that a page's style sheet resolves in light and dark. What a mark
says on hovering is the browser's own ``<title>``: nothing runs.
"""

from mpm_deploy.show.charts.marks import Bar, Group, Line, Point, Segment, Stack
from mpm_deploy.show.charts.plots import (
    bar_chart,
    column_chart,
    largest,
    scatter_chart,
    stacked_chart,
)
from mpm_deploy.show.charts.svg import standalone, to_png
from mpm_deploy.show.charts.theme import WIDTH, style_sheet

__all__ = [
    "Bar", "Group", "Line", "Point", "Segment", "Stack",
    "bar_chart", "column_chart", "largest", "scatter_chart", "stacked_chart",
    "standalone", "to_png", "WIDTH", "style_sheet",
]  # fmt: skip

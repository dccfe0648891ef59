"""Defines what all tables share: their look, and how figures are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from mpm_deploy.measure.speed.report import Spread


def new_table(*columns: str, justify: Literal["left", "right"] = "left") -> Table:
    """Make an empty table; only the columns of prose may wrap."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify=justify, no_wrap=column not in ("for", "found", "why"))
    return table


def number(value: float | None) -> str:
    """Write a number with three significant digits, or whole from 100 up; None is a dash."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def tokens(mean: Iterable[float]) -> str:
    """Write the tokens kept after each merge."""
    return " → ".join(f"{tokens:.0f}" for tokens in mean) or "all"


def percent(share: float | None) -> str:
    """Write a share from 0 to 1 as a percentage; None is a dash."""
    return "–" if share is None else f"{100 * share:.2f}"


def spread(ratio: Spread, turns: int = 2) -> str:
    """Write a ratio over its turns: median (least – most), or of one turn the ratio alone."""
    if turns < 2:
        return f"{ratio.median:.2f}"
    return f"{ratio.median:.2f} ({ratio.min:.2f} – {ratio.max:.2f})"

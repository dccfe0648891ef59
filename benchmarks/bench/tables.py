"""Makes tables of rows and of targets, and text of tables."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bench.targets import Verdict
from mpm_deploy.show.tables.style import new_table, spread

WIDE = 200
# Columns of words; all others are figures, to the right.
_WORDS = {
    *("recipe", "program", "scores", "version", "table", "row", "method", "kernel", "kind"),
    *("source", "language", "cores", "model"),
}


def columns(words: Sequence[str], figures: Sequence[str]) -> Table:
    """Make an empty table: columns of words on the left, and of figures, to the right."""
    table = new_table(*words)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def rows_table(rows: Iterable[Mapping[str, Any]], title: str | None = None) -> Table:
    """Make a table of rows of one kind, each value under its own name."""
    table = new_table()
    table.title = title
    for row in rows:
        if not table.columns:
            for name in row:
                words = name in _WORDS  # a figure's name may take several lines
                justify = "left" if words else "right"
                table.add_column(name.replace("_", " "), justify=justify, no_wrap=words)
        table.add_row(*map(_cell, row.values()))
    return table


def verdicts_table(verdicts: Iterable[Verdict]) -> Table:
    """Make a table of the targets, with what was wanted and what was reached, median
    (least – most).
    """
    table = columns((), ("target", "wanted", "reached", ""))
    for column in (table.columns[0], table.columns[-1]):
        column.justify, column.no_wrap = "left", False
    for verdict in verdicts:
        sign, outcome = "≤" if verdict.at_most else "≥", "met" if verdict.met else "missed"
        wanted = f"{sign} {verdict.wanted:.2f}"
        table.add_row(verdict.target, wanted, spread(verdict.reached), outcome)
    return table


def as_text(table: Table, width: int = WIDE) -> str:
    """Write a table as plain text of at most ``width`` columns.

    Raises:
        ValueError: It is wider, and a cell would be cut.
    """
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    text = "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"
    if "…" in text:
        raise ValueError(f"expected a table of {width} columns, got a wider one:\n{text}")
    return text


def indented(text: str) -> str:
    """Indent a text as a block of code."""
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)

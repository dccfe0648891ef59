"""Writes tables as plain text, for pages."""

import io

from rich.console import Console
from rich.table import Table


def as_text(table: Table, width: int) -> str:
    """Write a table as plain text of at most ``width`` columns."""
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"


def indented(text: str) -> str:
    """Indent a text as a block of code."""
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())

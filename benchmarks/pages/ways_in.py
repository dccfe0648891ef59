"""Writes the page on ways in beside a folder of files: a video, C, a server, a cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench.tables import as_text, indented, rows_table, verdicts_table
from benchmarks.bench.targets import Verdict
from benchmarks.pages.common import PAGES, Record, of_record, read, records
from mpm_deploy.support.schema import read_structure

PAGE = PAGES / "ways_in.md"
_INTRODUCTION = """# Videos, C, servers and clusters: what each costs

Each way in beside a folder of files, against the plain program on the same cores. Ratios are of
turns: median (least – most).
"""
# Of each record: the command's member, a title, and its tables, each by its key.
_PARTS: dict[str, tuple[str, dict[str, str]]] = {
    "video": (
        "A video, against a folder of its frames as JPEGs",
        {"speed": "", "steady": "Resident memory after a tenth, a half and nine tenths:"},
    ),
    "c_interface": ("The C interface, against C++", {"rows": ""}),
    "serving": (
        "A server and its clients on the same cores, against the bench",
        {
            "speed": "",
            "overload": "Ten times the requests that it can answer, a second:",
            "steady": "Many requests, of a smaller model:",
        },
    ),
    "archives": ("Ray on one machine, against the plain program", {"rows": ""}),
}


def pages() -> dict[Path, str]:
    """Return the page; nothing before there is a record."""
    parts = [
        "\n".join(_part(name, title, tables, read(path)))
        for name, (title, tables) in _PARTS.items()
        for path in records(name)
    ]
    return {PAGE: "\n".join([_INTRODUCTION, *parts])} if parts else {}


def _part(name: str, title: str, tables: dict[str, str], record: Record) -> Iterator[str]:
    yield f"## {title}\n\n`python -m benchmarks.{name}`\n"
    for key, about in tables.items():
        yield from [f"{about}\n"] if about else []
        rows = record[key]
        yield indented(as_text(rows_table(_shown(rows if isinstance(rows, list) else [rows]))))
    verdicts = [read_structure(Verdict, verdict) for verdict in record["verdicts"]]
    yield indented(as_text(verdicts_table(verdicts)))
    yield of_record(record)


def _shown(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {name: value for name, value in row.items() if not name.startswith("share")}

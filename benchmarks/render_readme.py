"""Fill the README's marked place from ``benchmarks/results``: ``render_readme.py [--check]``.

results/demo_python.json ┐
results/demo_cpp.json    ┴─▶ tables ─▶ README.md, between the two "demo output" comments
"""

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mpm_deploy.report import Report
from mpm_deploy.structure import read_structure
from mpm_deploy.tables import comparison_table, results_table

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RECORDS = {"Python": "demo_python.json", "C++": "demo_cpp.json"}
BEGIN, END = "<!-- demo output -->\n", "<!-- end of demo output -->"
WIDTH = 110

Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    arguments = parser.parse_args()
    text = README.read_text()
    filled = fill(text)
    if arguments.check:
        sys.exit(0 if filled == text else "README.md is not what benchmarks/results says")
    README.write_text(filled)


def fill(text: str) -> str:
    """The README with the place between the marks written anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}{demo_output()}{END}{after}"


def demo_output() -> str:
    """Both programs' tables, and the machine they ran on; nothing before there are records."""
    paths = {title: ROOT / "benchmarks" / "results" / name for title, name in RECORDS.items()}
    if not all(path.exists() for path in paths.values()):
        return ""
    records = {title: json.loads(path.read_text()) for title, path in paths.items()}
    parts = [of_program(title, record) for title, record in records.items()]
    return "\n" + "\n".join([*parts, machine(records["Python"])]) + "\n"


def of_program(title: str, record: Record) -> str:
    """One program's tables and its verdict."""
    report = read_structure(Report, record["report"])
    tables = [title, as_text(results_table(report.results))]
    if report.comparison is None:
        return indented("\n".join(tables))
    tables.append(as_text(comparison_table(report.comparison.results)))
    return indented("\n".join(tables)) + f"\n{report.comparison.verdict}\n"


def as_text(table: Table) -> str:
    """A table as plain text."""
    console = Console(width=WIDTH, file=io.StringIO(), record=True)
    console.print(table)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"


def indented(text: str) -> str:
    """As a block of code."""
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def machine(record: Record) -> str:
    """What the figures were measured on, and with."""
    report = read_structure(Report, record["report"])
    host = report.host
    return (
        f"({host.gpu or host.cpu}, {host.cores} cores, torch {host.torch}, "
        f"{report.results[0].images} images, commit {record['commit']}; "
        "written by `benchmarks/render_readme.py`.)\n"
    )


if __name__ == "__main__":
    main()

"""Fill the README's marked places from ``benchmarks/results``: ``render_readme.py [--check]``.

results/demo_python.json ┐
results/demo_cpp.json    ┴─▶ tables ─▶ README.md, between the two "demo output" comments
results/cpu_peers-*.json ──▶ tables ─▶ README.md, between the two "cpu peers" comments
"""

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/render_readme.py`

from benchmarks.peers.results import ModelResult
from benchmarks.peers.tables import engines_table, notes, title, verdicts_table
from benchmarks.record import ROOT
from mpm_deploy.report import Report
from mpm_deploy.structure import read_structure
from mpm_deploy.tables import comparison_table, results_table

README = ROOT / "README.md"
RECORDS = {"Python": "demo_python.json", "C++": "demo_cpp.json"}
WIDTH, WIDE = 110, 132
PEERS_INTRODUCTION = """
Against other engines, with the same weights and images: one image a call, each engine in a process
of its own, in turns (`python benchmarks/cpu_peers.py`). Peers interpolate and take the argmax in
their own graph. "× plain" is end-to-end FPS over PyTorch eager full-token in float32; "labels
equal" is to its labels, and after the slash to those of PyTorch eager merged.
"""

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
    """The README with the places between the marks written anew."""
    for name, output in PLACES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}{output()}{end}{after}"
    return text


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


def as_text(table: Table, width: int = WIDTH) -> str:
    """A table as plain text of at most ``width`` columns."""
    console = Console(width=width, file=io.StringIO(), record=True)
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


def peers_output() -> str:
    """Every machine's comparison with other engines; nothing before there is a record."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("cpu_peers-*.json"))
    machines = [of_machine(json.loads(path.read_text())) for path in paths]
    return "".join([PEERS_INTRODUCTION, *machines] if machines else [])


def of_machine(record: Record) -> str:
    """One machine's tables, and what they were measured with."""
    results = [read_structure(ModelResult, result) for result in record["models"]]
    return "\n" + "\n".join([*map(of_model, results), peers_machine(record)]) + "\n"


def of_model(result: ModelResult) -> str:
    """One model's engines, those that cannot run it, and the targets."""
    tables = [as_text(engines_table(result), WIDE), as_text(verdicts_table(result.verdicts), WIDE)]
    cannot = [f"- {note}" for note in notes(result)]
    return "\n".join([f"{title(result)}:\n", indented("\n".join(tables)), *cannot]) + "\n"


def peers_machine(record: Record) -> str:
    """What the engines ran on, and with."""
    host, packages = record["machine"], record["packages"]
    return (
        f"({host['cpu']}, {host['cores']} cores, "
        f"{', '.join(f'{name} {version}' for name, version in packages.items())}, "
        f"commit {record['commit']}; written by `benchmarks/render_readme.py`.)\n"
    )


PLACES = {"demo output": demo_output, "cpu peers": peers_output}

if __name__ == "__main__":
    main()

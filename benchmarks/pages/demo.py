"""Writes what the demo model gains: one sentence in the README, and both programs' tables."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages import sweep
from benchmarks.pages.common import PAGES, Record, between, on_host, read, records
from mpm_deploy.measure.speed.report import Report
from mpm_deploy.show.tables import comparison_table, results_table
from mpm_deploy.show.tables.style import spread
from mpm_deploy.support.schema import read_structure

PAGE = PAGES / "demo.md"
_WIDTH = 110


def pages() -> dict[Path, str]:
    """Return the page with both programs' tables."""
    return {PAGE: between(PAGE.read_text(), "demo output", output())}


def readme() -> str:
    """Say in one sentence what merging gains; nothing before there are records."""
    both, found = programs(), sweep.found()
    if not both or found is None:
        return ""
    reports = [_report(record) for record in both.values()]
    gains = [report.comparison.results[0] for report in reports if report.comparison]
    python, cpp = (spread(gain.end_to_end_fps_ratio) for gain in gains)
    merged = next(row for row in found.every_row() if row.name == sweep.DEFAULT)
    kept, whole = (100 * row.accuracy.mean_iou for row in (merged, found.full_token))
    host = reports[0].host
    where = f"{host.cpu}, {host.cores} cores, torch {host.torch}"
    return f"""\
Merging makes the demo model, a ViT-T/16, **× {python} as fast in Python and × {cpp} in C++**,
one image at a time, from files to label maps, where FLOPs allow × {gains[0].flop_ratio:.2f}; its
mIoU is {kept:.2f}, and full-token {whole:.2f} ({where}: [both programs](docs/results/demo.md)).
Of all [ways of merging](docs/results/demo_sweep.md) measured in Python none beats these in both:

{sweep.front_table(found)}
"""


def output() -> str:
    """Write both programs' tables, and the machine they ran on; nothing before there
    are records.
    """
    both = programs()
    if not both:
        return ""
    parts = [_of_program(title, _report(record)) for title, record in both.items()]
    report, commit = _report(both["Python"]), both["Python"]["commit"]
    where = on_host(report.host, f"{report.results[0].images} images", f"commit {commit}")
    return "\n" + "\n".join([*parts, where]) + "\n"


def programs() -> dict[str, Record]:
    """Return the record of both programs; nothing before there are both."""
    found = {title: records(f"demo_{title.lower().replace('+', 'p')}") for title in _TITLES}
    return {title: read(*paths) for title, paths in found.items()} if all(found.values()) else {}


_TITLES = ("Python", "C++")


def _report(record: Record) -> Report:
    return read_structure(Report, record["report"])


def _of_program(title: str, report: Report) -> str:
    tables = [title, as_text(results_table(report.results), _WIDTH)]
    if report.comparison is None:
        return indented("\n".join(tables))
    tables.append(as_text(comparison_table(report.comparison.results), _WIDTH))
    return indented("\n".join(tables)) + f"\n{report.comparison.verdict}\n"

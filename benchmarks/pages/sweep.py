"""Writes the page on ways of merging: the figure, the rows that no other beats, and every row."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages.common import PAGES, figures, on_host, picture, read, records
from mpm_deploy.measure.search.sweep import Sweep
from mpm_deploy.show.page.sweep import sweep_chart
from mpm_deploy.show.tables import rows_table, sweep_remarks, sweep_table
from mpm_deploy.support.schema import read_structure

PAGE = PAGES / "demo_sweep.md"
DEFAULT = "mpm [2, 5]"  # the recipes' own
_HEAD = "# Ways of merging the demo model, on the held-out scenes\n"


def found() -> Sweep | None:
    """Return the sweep on file; None where there is none."""
    return next((_sweep(path) for path in records("demo_sweep")), None)


def pages() -> dict[Path, str]:
    """Return the page and its figures; nothing before there is a record."""
    written: dict[Path, str] = {}
    for path in records("demo_sweep"):
        written = {PAGE: _page(path), **figures(path, sweep_chart(_sweep(path)))}
    return written


def _page(path: Path) -> str:
    sweep = _sweep(path)
    kept = {*sweep.front, DEFAULT}
    rows = [row for row in sweep.every_row() if row.name in kept or row is sweep.full_token]
    figure = picture(path.stem, "mIoU against end-to-end FPS")
    best = indented(as_text(rows_table(rows, sweep.front)))
    remarks = "".join(f"- {remark}\n" for remark in sweep_remarks(sweep))
    table = indented(as_text(sweep_table(sweep)))
    where = on_host(sweep.host, f"commit {read(path)['commit']}")
    return "\n".join([_HEAD, figure, best, remarks, "## Every row\n", table, where])


def _sweep(path: Path) -> Sweep:
    return read_structure(Sweep, read(path)["report"])

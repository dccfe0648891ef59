"""Writes the pages on ways of merging: the figure, the rows that no other beats, and every row."""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages.common import PAGES, figures, on_host, picture, read, records
from mpm_deploy.measure.search.sweep import Sweep
from mpm_deploy.show.page.sweep import sweep_chart
from mpm_deploy.show.tables import rows_table, sweep_remarks, sweep_table
from mpm_deploy.support.schema import read_structure

DEFAULT = "mpm [2, 5]"  # the recipes' own
_MODELS = {"demo_sweep": "the demo model", "eomt_sweep": "the EoMT demo"}  # each record's


def found() -> Sweep | None:
    """Return the demo model's sweep on file; None where there is none."""
    return next((_sweep(path) for path in records("demo_sweep")), None)


def pages() -> dict[Path, str]:
    """Return each record's page and figures."""
    written: dict[Path, str] = {}
    for name, model in _MODELS.items():
        for path in records(name):
            written[PAGES / f"{name}.md"] = _page(path, model)
            written |= figures(path, sweep_chart(_sweep(path)))
    return written


def _page(path: Path, model: str) -> str:
    sweep = _sweep(path)
    kept = {*sweep.front, DEFAULT}
    rows = [row for row in sweep.every_row() if row.name in kept or row is sweep.full_token]
    figure = picture(path.stem, "mIoU against end-to-end FPS")
    best = indented(as_text(rows_table(rows, sweep.front)))
    remarks = "".join(f"- {remark}\n" for remark in sweep_remarks(sweep))
    table = indented(as_text(sweep_table(sweep)))
    where = on_host(sweep.host, f"commit {read(path)['commit']}")
    head = f"# Ways of merging {model}, on the held-out scenes\n"
    return "\n".join([head, figure, best, remarks, "## Every row\n", table, where])


def _sweep(path: Path) -> Sweep:
    return read_structure(Sweep, read(path)["report"])

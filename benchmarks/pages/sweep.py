"""Writes the pages on ways of merging: the figure, the rows that no other beats, and every row; and
what README and guide say of the demo model's.
"""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented
from benchmarks.pages.common import PAGES, between, figures, on_host, picture, read, records
from benchmarks.record import ROOT
from mpm_deploy.measure.search.sweep import Sweep, SweepRow
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.show.page.sweep import sweep_chart
from mpm_deploy.show.tables import rows_table, sweep_remarks, sweep_table
from mpm_deploy.show.tables.style import spread
from mpm_deploy.support.schema import read_structure

DEFAULT = "mpm [2, 5]"  # the recipes' own
GUIDE = ROOT / "docs" / "guides" / "choosing-a-merge.md"
_DROPS = (0.25, 0.5, 1.0, 2.0)  # points of mIoU
_MODELS = {  # each record's
    "demo_sweep": "the demo model",
    "eomt_sweep": "the EoMT demo",
    "cts_sweep": "the demo trained with CTS",
}


def found() -> Sweep | None:
    """Return the demo model's sweep on file; None where there is none."""
    return next((_sweep(path) for path in records("demo_sweep")), None)


def pages() -> dict[Path, str]:
    """Return each record's page and figures."""
    demo = found()
    said = between(GUIDE.read_text(), "demo sweep", fastest_table(demo) if demo else "")
    written = {GUIDE: said}
    for name, model in _MODELS.items():
        for path in records(name):
            written[PAGES / f"{name}.md"] = _page(path, model)
            written |= figures(path, sweep_chart(_sweep(path)))
    return written


def front_table(sweep: Sweep) -> str:
    """Write a column for the full-token model and for each row that no other beats."""
    front = [row for row in sweep.rows if row.name in sweep.front]
    rows = (sweep.full_token, *sorted(front, key=_speed))
    cells = {
        "": (f"`{row.name}`" for row in rows),
        ":--": ("--:" for _ in rows),
        "× full-token": (spread(row.speed.end_to_end_fps_ratio) for row in rows),
        "mIoU": (f"{100 * row.accuracy.mean_iou:.2f}" for row in rows),
    }
    return "".join(f"| {' | '.join((head, *line))} |\n" for head, line in cells.items())


def fastest_table(sweep: Sweep) -> str:
    """Write each method's fastest row that loses at most so many points of mIoU, for some such
    limits, and which is the fastest of all.
    """
    methods = {_title(row.merge): row.merge.method for row in sweep.rows}
    lines = [["points lost, at most", *methods], ["--:", *("---" for _ in methods)]]
    won: dict[str, list[str]] = {}
    for drop in _DROPS:
        floor = sweep.full_token.accuracy.mean_iou - drop / 100
        kept = [row for row in sweep.every_row() if row.accuracy.mean_iou >= floor]
        best = max(kept, key=_speed)
        won.setdefault(_title(best.merge), []).append(f"{drop:g}")
        lines.append([f"{drop:g}", *(_fastest(kept, method, best) for method in methods.values())])
    where = "; ".join(f"{title} at {_listed(drops)}" for title, drops in won.items())
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    said = f"The fastest that were measured, by the points of mIoU that may be lost: {where}."
    return f"\n{said}\n\n{table}\n"


def _fastest(kept: list[SweepRow], method: str, best: SweepRow) -> str:
    own = [row for row in kept if row.merge.method == method and row.merge.blocks]
    if not own:
        return "–"
    row = max(own, key=_speed)
    said = f"`{row.name}` × {spread(row.speed.end_to_end_fps_ratio)}"
    return f"**{said}**" if row is best else said


def _listed(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _speed(row: SweepRow) -> float:
    return row.speed.end_to_end_fps_ratio.median


def _title(merge: MergeRecipe) -> str:
    return str(merge.member.title) if merge.blocks else "the full-token model"


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

"""Writes what was measured on a GPU: the paper's rows into the README, every table on a page, and
what merging gains beside what its FLOPs allow, as a figure.

model FPS ratio │        ╱        on the line a model is as much faster as it computes less
                │     ╱ ●         ●: MPM   ▲: ToMe   ◆: ALGM, each against full-token
                └──────────
                 FLOP ratio
"""

from pathlib import Path

from benchmarks.bench.tables import as_text, indented, rows_table
from benchmarks.gpu.record import GpuRecord, read_record
from benchmarks.gpu.results import PartResult, timed
from benchmarks.gpu.tables import every_table, notes, paper_rows
from benchmarks.pages.common import PAGES, commits, figures, picture, read, records, written
from mpm_deploy.show.charts import Line, Point, scatter_chart

PAGE = PAGES / "h100.md"
INTRODUCTION = """
Rows of the paper's Tables 1, 2, 3, 5 and 6 at batch {batch}, ours and after the slash the paper's,
of an H100 too. "Ratio" is model FPS over full-token, "FLOPs" what FLOPs at our tokens kept allow.

Conditions differ. Ours: images of procedural street scenes, weights trained on them for minutes or
random, one compiled file a model timed by the C++ program in turns with full-token, ToMe and ALGM
without training, ToMe's ratio set to the paper's share of FLOPs. The paper's: each data set's own
images and weights, PyTorch, ALGM trained. How many tokens merge depends on images and weights.
"""
MORE = (
    "Every batch size, floors, kernels and targets: [docs/results/h100.md](docs/results/h100.md).\n"
)
_COLORS = {"mpm": "c0", "tome": "c1", "algm": "c2"}
_NAMES = {"mpm": "MPM", "tome": "ToMe", "algm": "ALGM"}


def pages() -> dict[Path, str]:
    """Return the page with all that is known of every GPU, and its figures."""
    paths = records("h100-*")
    made = {PAGE: "\n".join(map(page, paths))} if paths else {}
    for path in paths:
        made |= drawn(path)
    return made


def readme() -> str:
    """Write the paper's rows of every GPU; nothing before there is a record."""
    return "".join(map(readme_part, records("h100-*")))


def readme_part(path: Path) -> str:
    """Write the paper's rows of one GPU, and the figure."""
    record = read_record(path)
    parts = timed(record.parts)
    batch = max((part.largest.batch_size for part in parts), default=0)
    table = indented(as_text(rows_table(paper_rows(record))))
    figure = picture(path.stem, "speed gained against FLOPs saved", "docs/results/figures")
    return "\n".join([INTRODUCTION.format(batch=batch), table, figure, MORE, _written(path), ""])


def page(path: Path) -> str:
    """Write every table of one GPU."""
    record = read_record(path)
    tables = every_table(record)
    texts = [f"## {title}\n\n{indented(as_text(table))}" for title, table in tables]
    said = "".join(f"- {note}\n" for note in notes(record))
    return "\n".join([f"# {record.gpu}\n", *texts, said, _written(path)])


def drawn(path: Path) -> dict[Path, str]:
    """Draw the figure of one GPU; nothing where nothing was timed."""
    record = read_record(path)
    return figures(path, chart(record)) if timed(record.parts) else {}


def chart(record: GpuRecord) -> str:
    """Draw all rows at the largest batch as SVG, with color names that a page resolves.

    Raises:
        MissingPackageError: Altair or vl-convert is not installed.
    """
    parts = timed(record.parts)
    points = [_point(part) for part in parts]
    methods = [name for name in _NAMES if any(part.method == name for part in parts)]
    most = max(max(point.x, point.y) for point in points)
    diagonal = tuple(Point(at, at, "as fast as FLOPs allow", "soft") for at in (1.0, most))
    return scatter_chart(
        points,
        "FLOPs of full-token, times those of merged",
        "model FPS of merged, times full-token's",
        "what merging gains beside what its FLOPs allow",
        [Line(diagonal)],
        {_COLORS[name]: _NAMES[name] for name in methods},
    )


def _point(part: PartResult) -> Point:
    gain, allowed = part.ratio.model_fps_ratio.median, part.ratio.flop_ratio
    said = f"{part.name}, batch {part.ratio.batch_size}: × {gain:.2f}"
    return Point(allowed, gain, f"{said} where FLOPs allow × {allowed:.2f}", _COLORS[part.method])


def _written(path: Path) -> str:
    record, data = read_record(path), read(path)
    named = commits(part.commit for part in record.parts)
    return written(record.gpu, f"torch {data['versions']['torch']}", named)

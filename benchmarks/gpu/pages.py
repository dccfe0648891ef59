"""Writes what the README and docs say of a GPU, from its record.

results/h100-<gpu>.json ─┬─▶ README.md, between the two "h100" comments: the paper's rows
                         ├─▶ docs/results/h100.md: every table
                         └─▶ docs/results/figures/h100-<gpu>-light.svg and -dark.svg
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.figure import chart
from benchmarks.gpu.records import read_record
from benchmarks.gpu.results import GpuRecord, timed
from benchmarks.gpu.tables import (
    floors_table,
    kernels_table,
    kinds_table,
    name_of,
    notes,
    paper_table,
    speed_table,
    stages_table,
    told_profiles,
)
from benchmarks.peers.tables import verdicts_table
from benchmarks.text import as_text, indented
from mpm_deploy.show.charts import standalone
from mpm_deploy.show.charts.theme import Scheme

WIDE = 156
INTRODUCTION = """
Rows of the paper's Tables 1, 2, 3, 5 and 6 at batch {batch}, ours and after the slash the paper's,
of an H100 too. "Ratio" is model FPS over full-token, "FLOPs" what FLOPs at our tokens kept allow.

Conditions differ. Ours: images of procedural street scenes, weights trained on them for minutes or
random, one compiled file a model timed by the C++ program in turns with full-token, ToMe and ALGM
without training, ToMe's ratio set to the paper's share of FLOPs. The paper's: each data set's own
images and weights, PyTorch, ALGM trained. How many tokens merge depends on images and weights.
"""
FIGURE = """<picture>
  <source media="(prefers-color-scheme: dark)" srcset="docs/results/figures/{name}-dark.svg">
  <img src="docs/results/figures/{name}-light.svg" width="480"
       alt="speed gained against FLOPs saved">
</picture>
"""
MORE = (
    "Every batch size, floors, kernels and targets: [docs/results/h100.md](docs/results/h100.md).\n"
)


@dataclass(frozen=True)
class Kept:
    """A record, and the file that it is kept in."""

    path: Path
    data: dict[str, Any]
    record: GpuRecord


def read(path: Path) -> Kept:
    """Read a file that `write_result` wrote."""
    data = json.loads(path.read_text())
    return Kept(path, data, read_record(data))


def readme_part(kept: Kept) -> str:
    """Write the README's part: the paper's rows, and the figure."""
    parts = timed(kept.record.parts)
    batch = max((each.batch_size for part in parts for each in part.speed.results), default=0)
    table = indented(as_text(paper_table(parts), WIDE))
    figure = FIGURE.format(name=kept.path.stem)
    return "\n".join([INTRODUCTION.format(batch=batch), table, figure, MORE, _written(kept), ""])


def page(kept: Kept) -> str:
    """Write the page with every table."""
    record = kept.record
    tables = [
        ("Beside the paper", paper_table(record.parts)),
        ("Every batch size", speed_table(record.parts)),
        ("Merging", stages_table(record.parts)),
        ("The floor, and the gap", floors_table(record)),
        ("Targets", verdicts_table(record.verdicts)),
    ]
    for part, profile in told_profiles(record.parts):
        name = f"{name_of(part, profile)}, batch {profile.batch_size}"
        tables.append((f"Where the time goes: {name}", kinds_table(part, profile, record.ceilings)))
        tables.append((f"Kernels: {name}", kernels_table(profile)))
    texts = [f"## {title}\n\n{indented(as_text(table, WIDE))}" for title, table in tables]
    said = "".join(f"- {note}\n" for note in notes(record))
    return "\n".join([f"# {record.gpu}\n", *texts, said, _written(kept)])


def figures(kept: Kept, folder: Path) -> dict[Path, str]:
    """Draw the figure twice: for a light and for a dark background."""
    if not timed(kept.record.parts):
        return {}
    svg = chart(kept.record)
    digest = hashlib.sha256(kept.path.read_bytes()).hexdigest()
    head = f"<!-- drawn from benchmarks/results/{kept.path.name}, SHA-256 {digest} -->\n"
    schemes: tuple[Scheme, ...] = ("light", "dark")
    return {
        folder / f"{kept.path.stem}-{scheme}.svg": head + standalone(svg, scheme) + "\n"
        for scheme in schemes
    }


def _written(kept: Kept) -> str:
    commits = ", ".join(dict.fromkeys(part.commit for part in kept.record.parts))
    torch = kept.data["versions"]["torch"]
    return (
        f"({kept.record.gpu}, torch {torch}, commit {commits}; written by "
        "`benchmarks/render_readme.py`.)\n"
    )

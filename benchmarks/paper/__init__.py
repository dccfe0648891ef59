"""Reads what the paper measured: ``results.csv``, one row per result of its tables 1 to 7.

Source: "Mutual Pair Merging", the tables named in the first column. Which models its tables have is
`mpm_deploy.recipe.paper`'s; here is what each of them reached.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from mpm_deploy.recipe.paper import Row

_RESULTS = Path(__file__).parent / "results.csv"
METHODS = {"full": "full", "mpm": "MPM (2,5)", "tome": "ToMe", "algm": "ALGM"}
# What a table of the paper calls a model.
_TITLES = {1: "Seg-{size}", 5: "{family}-{size}"}
_EVA = {"eva_g16_mask2former": "EVA-01 ViT-Adapter Mask2Former"}
_TITLE = "{family}-{size} {head}"
_NAME = re.compile(r"seg_(deit_)?([tsbl])(\d+)_(mask|linear)")


@dataclass(frozen=True)
class PaperRow:
    """The figures of one model of one table, by method.

    They are of an H100 at batch 32, and in Table 7 of an A100 at batch 4.

    Attributes:
        fps: Images a second by ``"full"``, ``"mpm"``, ``"tome"`` and ``"algm"``; where the table
            has none, the method is not there.
        gflops: GFLOPs of an image by method, likewise.
    """

    fps: dict[str, float]
    gflops: dict[str, float]

    def ratio(self, method: str) -> float | None:
        """Return how many times as fast as full-token a method is; None where the table
        does not say.
        """
        return self.fps[method] / self.fps["full"] if method in self.fps else None

    def share(self, method: str) -> float | None:
        """Return a method's share of the full-token model's FLOPs; None where the table
        does not say.
        """
        both = method in self.gflops and "full" in self.gflops
        return self.gflops[method] / self.gflops["full"] if both else None


def paper_row(row: Row) -> PaperRow:
    """Return what the paper measured of a row.

    Raises:
        KeyError: There is no such row.
    """
    title = title_of(row)
    with _RESULTS.open(newline="") as file:
        found = [
            line
            for line in csv.DictReader(file)
            if (line["table"], line["model"]) == (str(row.table), title)
        ]
    if not found:
        raise KeyError(f"table {row.table}: no model {title!r}")
    return PaperRow(_of(found, "FPS"), _of(found, "GFLOPs"))


def title_of(row: Row) -> str:
    """Return the model's name in the paper's table."""
    if row.model in _EVA:
        return _EVA[row.model]
    found = _NAME.fullmatch(row.model)
    assert found is not None, row.model
    family, size, patch, head = found.groups()
    return _TITLES.get(row.table, _TITLE).format(
        family="DeiT" if family else "ViT", size=f"{size.upper()}/{patch}", head=head.title()
    )


def size_of(model: str) -> str:
    """Return the size of a model of the paper: ``"t"``, ``"s"``, ``"b"`` or ``"l"``."""
    found = _NAME.fullmatch(model)
    assert found is not None, model
    return found[2]


def _of(lines: list[dict[str, str]], column: str) -> dict[str, float]:
    by_name = {line["method"]: line[column] for line in lines if line[column]}
    return {key: float(by_name[name]) for key, name in METHODS.items() if name in by_name}

"""Reads what the paper measured: ``results.csv``, one row per result of its tables 1 to 7.

Source: "Mutual Pair Merging", the tables named in the first column.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

_RESULTS = Path(__file__).parent / "results.csv"
METHODS = {"full": "full", "mpm": "MPM (2,5)", "tome": "ToMe", "algm": "ALGM"}


@dataclass(frozen=True)
class PaperRow:
    """The figures of one model of one table, on an H100 at batch 32, by method.

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


def paper_row(table: int, model: str) -> PaperRow:
    """Return the row of a model, named as in the table.

    Raises:
        KeyError: There is no such row.
    """
    with _RESULTS.open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["table"], row["model"]) == (str(table), model)
        ]
    if not rows:
        raise KeyError(f"table {table}: no model {model!r}")
    return PaperRow(_of(rows, "FPS"), _of(rows, "GFLOPs"))


def _of(rows: list[dict[str, str]], column: str) -> dict[str, float]:
    by_name = {row["method"]: row[column] for row in rows if row[column]}
    return {key: float(by_name[name]) for key, name in METHODS.items() if name in by_name}

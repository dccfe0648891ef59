"""What the paper measured: ``results.csv``, one row a result of its tables 1 to 7.

Source: "Mutual Pair Merging", the tables named in the first column.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

_RESULTS = Path(__file__).parent / "results.csv"
METHODS = {"full": "full", "mpm": "MPM (2,5)", "tome": "ToMe", "algm": "ALGM"}


@dataclass(frozen=True)
class PaperRow:
    """One model of one table, on an H100 at batch 32, by method.

    Attributes:
        fps: Images a second, of ``"full"``, ``"mpm"``, ``"tome"`` and ``"algm"``; where the table
            has none, the method is not there.
        gflops: 10⁹ FLOPs of an image, likewise.
    """

    fps: dict[str, float]
    gflops: dict[str, float]

    def ratio(self, method: str) -> float | None:
        """How many times faster than full-token a method is."""
        return self.fps[method] / self.fps["full"] if method in self.fps else None

    def share(self, method: str) -> float | None:
        """Of the full-token model's FLOPs."""
        both = method in self.gflops and "full" in self.gflops
        return self.gflops[method] / self.gflops["full"] if both else None


def paper_row(table: int, model: str) -> PaperRow:
    """Of the model as the table calls it.

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

"""What the paper measured: ``results.csv``, one row a result of its tables 1 to 7.

Source: "Mutual Pair Merging", the tables named in the first column.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

_RESULTS = Path(__file__).parent / "results.csv"
_TABLES = {"float32": "1", "bfloat16": "5"}  # of an H100 at batch 32 and 512 pixels
FULL_TOKEN, MERGED = "full", "MPM (2,5)"


@dataclass(frozen=True)
class PaperRow:
    """One model: FPS at batch 32 on an H100."""

    full_token_fps: float
    merged_fps: float

    @property
    def ratio(self) -> float:
        """How many times faster merged is."""
        return self.merged_fps / self.full_token_fps


def paper_row(model: str, dtype: str) -> PaperRow:
    """Of the model as the tables call it.

    Raises:
        KeyError: There is no such row.
    """
    with _RESULTS.open(newline="") as file:
        fps = {
            (row["table"], row["model"], row["method"]): float(row["FPS"])
            for row in csv.DictReader(file)
        }
    table = _TABLES[dtype]
    return PaperRow(fps[table, model, FULL_TOKEN], fps[table, model, MERGED])

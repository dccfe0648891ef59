"""What README and guide say of ways of merging, whatever the record holds."""

from dataclasses import replace

from benchmarks.pages.sweep import fastest_table, front_table
from mpm_deploy.measure.search.sweep import Sweep, SweepRow, pareto_front
from mpm_deploy.models.reductions import Tome
from mpm_deploy.recipe import MergeRecipe
from tests.measure.search.sweeps import row, sweep

MPM = row(MergeRecipe("mpm", (1, 2, 5)), 0.793, 1.75)
TOME = row(MergeRecipe("tome", (2, 5), member=Tome(ratio=0.2)), 0.797, 1.5)
SLOW = row(MergeRecipe("tome", (5,), member=Tome(ratio=0.2)), 0.796, 1.25)


def found(*rows: SweepRow) -> Sweep:
    every = sweep(*rows)
    return replace(every, front=pareto_front(every.every_row()))


def test_the_front_has_a_column_for_each_of_its_rows_and_for_full_token() -> None:
    assert front_table(found(MPM, SLOW, TOME)).splitlines() == [
        "|  | `full-token` | `tome [2, 5] ratio=0.2` | `mpm [1, 2, 5]` |",
        "| :-- | --: | --: | --: |",
        "| × full-token | 1.00 (1.00 – 1.00) | 1.50 (1.50 – 1.50) | 1.75 (1.75 – 1.75) |",
        "| mIoU | 80.00 | 79.70 | 79.30 |",
    ]


def test_the_fastest_method_is_told_by_what_may_be_lost() -> None:
    lines = fastest_table(found(MPM, TOME, SLOW)).splitlines()
    assert lines[1] == (
        "The fastest that were measured, by the points of mIoU that may be lost: the full-token "
        "model at 0.25; ToMe at 0.5; MPM at 1 and 2."
    )
    assert lines[5] == "| 0.25 | – | – |"
    assert lines[6] == "| 0.5 | – | **`tome [2, 5] ratio=0.2` × 1.50 (1.50 – 1.50)** |"
    assert lines[7].startswith("| 1 | **`mpm [1, 2, 5]` × 1.75 (1.75 – 1.75)** | `tome [2, 5]")

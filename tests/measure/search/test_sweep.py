"""What is said of rows: the front, where another method is ahead, and the files."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.measure.search.sweep import (
    Sight,
    not_matched,
    pareto_front,
    read_sweep,
    write_csv,
    write_sweep,
)
from mpm_deploy.models.reductions import Tome
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.show.tables import skipped_table, sweep_remarks, sweep_table
from tests.measure.search.sweeps import row, sweep


def mpm(*blocks: int) -> MergeRecipe:
    return MergeRecipe("mpm", blocks)


def tome(*blocks: int) -> MergeRecipe:
    return MergeRecipe("tome", blocks, member=Tome(ratio=0.2))


def test_the_front_has_what_no_other_row_beats() -> None:
    rows = [
        row(mpm(0), 0.80, 1.0),
        row(mpm(1), 0.79, 1.5),
        row(mpm(2), 0.78, 1.4),  # slower and less accurate than [1]
        row(mpm(3), 0.79, 1.4),  # as accurate as [1], and slower
        row(mpm(4), 0.70, 2.0),
        row(mpm(5), 0.60, 2.0),
    ]
    assert pareto_front(rows) == ("mpm [0]", "mpm [1]", "mpm [4]")
    assert pareto_front(rows[::-1]) == ("mpm [0]", "mpm [1]", "mpm [4]")


def test_the_full_token_model_stands_on_the_front_where_merging_only_loses() -> None:
    found = sweep(row(mpm(0), 0.7, 0.9))
    assert pareto_front(found.every_row()) == ("full-token",)


def test_where_another_method_is_ahead() -> None:
    best, slow = row(mpm(2), 0.79, 1.5), row(mpm(5), 0.795, 1.2)
    ahead, behind = row(tome(2), 0.785, 1.6), row(tome(5), 0.785, 1.4)
    higher = row(tome(8), 0.81, 1.1)
    found = not_matched(sweep(slow, best, ahead, behind, higher))
    assert found == [(ahead, best), (higher, None)]


def test_what_the_remarks_say() -> None:
    best = row(mpm(2), 0.79, 1.5)
    behind, ahead = row(tome(5), 0.785, 1.4), row(tome(2), 0.785, 1.6)
    assert len(sweep_remarks(sweep(best))) == 1
    assert "No other method is faster than mpm" in sweep_remarks(sweep(best, behind))[1]
    remark = sweep_remarks(sweep(best, ahead))[1]
    assert remark == (
        "tome [2] ratio=0.2 with × 1.60 (1.60 – 1.60) at 78.50; the fastest of at least its mIoU "
        "is mpm [2] with × 1.50 (1.50 – 1.50) at 79.00."
    )


def seen() -> tuple[Sight, ...]:
    """One that is worth a build, and two that are not."""
    return (
        Sight("mpm [2]", mpm(2), 12.0, (0.9, 0.8)),
        Sight("mpm [5]", mpm(5), 16.0, (0.7, 0.8), "mpm [2] has fewer FLOPs"),
        Sight("mpm [8]", mpm(8), 18.0, (0.6, 0.8), "mpm [2] has fewer FLOPs"),
    )


def test_what_was_not_worth_a_build_is_told_unless_it_is_built_after_all() -> None:
    found = replace(sweep(row(mpm(2), 0.7, 1.5), row(mpm(8), 0.7, 1.4)), seen=seen())
    table = skipped_table(found)
    assert [[*column.cells] for column in table.columns] == [
        *(["mpm [5]"], ["1.50"], ["75.00"], ["mpm [2] has fewer FLOPs"])
    ]
    assert sweep_remarks(found)[1] == (
        "Looked at on 2 images and not built, as others have fewer FLOPs or agree more with the "
        "full-token model: 1."
    )


def test_a_table_has_every_row_once_and_the_fastest_last() -> None:
    table = sweep_table(sweep(row(mpm(2), 0.7, 1.5), row(mpm(5), 0.75, 1.2)))
    assert list(table.columns[0].cells) == ["full-token", "mpm [5]", "mpm [2]"]
    assert list(table.columns[2].cells) == ["0.00", "5.00", "10.00"]


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    found = replace(sweep(row(mpm(2), 0.7, 1.5), row(tome(2, 5), 0.75, 1.25)), seen=seen())
    write_sweep(tmp_path / "sweep.json", found)
    assert read_sweep(tmp_path / "sweep.json") == found
    write_csv(tmp_path / "sweep.csv", found)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == ["full-token", "mpm [2]", "tome [2, 5] ratio=0.2"]
    assert lines[2]["blocks"] == "2 5"
    assert float(lines[2]["mean_iou"]) == 75 and float(lines[2]["boundary_f_score"]) == 37.5
    assert float(lines[2]["end_to_end_fps_ratio"]) == 1.25


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": "mpm-sweep/2"}', "{", "[" * 100_000, "1" * 5000]
)
def test_a_file_that_is_no_sweep(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"not a sweep|expected schema"):
        read_sweep(path)


def test_a_file_of_another_schema(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps({**sweep().to_dict(), "schema": "mpm-sweep/3"}))
    with pytest.raises(InputError, match="expected schema 'mpm-sweep/2'"):
        read_sweep(path)

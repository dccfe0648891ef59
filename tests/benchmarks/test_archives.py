"""The benchmark of archives: what it measures, of a program that is made up."""

from pathlib import Path

import pytest

from benchmarks.archives import Way, ratios, repeat, row_of
from benchmarks.bench.written import Written


def test_ratios_are_of_each_programs_faster_way() -> None:
    turns = {
        Way("plain", "all", ()): [Written(10, 1, 0), Written(12, 1, 0)],
        Way("plain", "each", ()): [Written(11, 1, 0), Written(9, 1, 0)],
        Way("ray", "all", ()): [Written(9, 5, 1), Written(10, 5, 1)],
        Way("ray", "each", ()): [Written(11, 7, 1), Written(9, 6, 1)],
    }
    assert ratios(turns) == pytest.approx([11 / 11, 10 / 12])
    row = row_of(*[*turns.items()][3])
    assert row == {
        "program": "ray",
        "cores": "each",
        "fps": 10,
        "start_seconds": 6.5,
        "end_seconds": 1,
    }


def test_images_are_repeated(tmp_path: Path) -> None:
    files = [tmp_path / "a.jpg", tmp_path / "b.png"]
    for file in files:
        file.write_text(file.name)
    repeat(files, 3, tmp_path / "archive")
    repeated = sorted((tmp_path / "archive").iterdir())
    assert [path.name for path in repeated] == ["00000.jpg", "00001.png", "00002.jpg"]
    assert [path.read_text() for path in repeated] == ["a.jpg", "b.png", "a.jpg"]

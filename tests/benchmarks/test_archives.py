"""The benchmark of archives: what it measures, of a program that is made up."""

import sys
from pathlib import Path

import pytest

from benchmarks.archives import Turn, Way, ratios, repeat, row_of, turn

WRITER = """
import sys, time
from pathlib import Path

time.sleep(0.2)
for number in range(9):
    Path(sys.argv[1], f"{number}.png").touch()
    time.sleep(0.02)
time.sleep(0.2)
"""


def test_a_turn_is_timed_by_when_label_maps_were_written(tmp_path: Path) -> None:
    taken = turn([sys.executable, "-c", WRITER, str(tmp_path)], tmp_path)
    assert 1 < taken.fps <= 55  # another program may keep this one waiting
    assert taken.start_seconds > 0.19
    assert taken.end_seconds > 0.19


def test_ratios_are_of_each_programs_faster_way() -> None:
    turns = {
        Way("plain", "all", ()): [Turn(10, 1, 0), Turn(12, 1, 0)],
        Way("plain", "each", ()): [Turn(11, 1, 0), Turn(9, 1, 0)],
        Way("ray", "all", ()): [Turn(9, 5, 1), Turn(10, 5, 1)],
        Way("ray", "each", ()): [Turn(11, 7, 1), Turn(9, 6, 1)],
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

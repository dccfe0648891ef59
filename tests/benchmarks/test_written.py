"""How long a program took, by what it wrote, of one that is made up."""

import sys
from pathlib import Path

from benchmarks.bench.written import write

WRITER = """
import sys, time
from pathlib import Path

time.sleep(0.2)
for number in range(9):
    Path(sys.argv[1], f"{number}.png").touch()
    time.sleep(0.02)
time.sleep(0.2)
"""


def test_a_program_is_timed_by_when_label_maps_were_written(tmp_path: Path) -> None:
    taken = write([sys.executable, "-c", WRITER, str(tmp_path)], tmp_path)
    assert 1 < taken.fps <= 55  # another program may keep this one waiting
    assert taken.start_seconds > 0.19
    assert taken.end_seconds > 0.19

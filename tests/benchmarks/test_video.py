"""The benchmark of videos: the pictures it makes, and what it says of turns that are made up."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.bench.written import Written
from benchmarks.video import picture, pictures, speed_verdicts, steady, write_clip, write_folder

PROGRAM = """
import sys, time
held = []
for number in range(20):
    held.append(b"0" * (number // 10) * 2**24)
    print("{}", flush=True)
    time.sleep(0.02)
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two pictures, of which the second one has another size."""
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    Image.new("RGB", (32, 16), (255, 0, 0)).save(paths[0])
    Image.new("RGB", (16, 16), (0, 0, 255)).save(paths[1])
    return paths


def test_a_video_and_a_folder_show_the_same(files: list[Path], tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    folder = write_folder(pictures(files, 3), tmp_path / "folder")
    clip = write_clip(pictures(files, 3), tmp_path / "clip.mp4")
    with av.open(str(clip)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    shown = [picture(path) for path in sorted(folder.iterdir())]
    assert len(frames) == len(shown) == 3
    for frame, same in zip(frames, shown, strict=True):
        assert frame.size == same.size == (32, 16)
        pixels = zip(frame.getpixel((5, 5)), same.getpixel((5, 5)), strict=True)
        assert max(abs(a - b) for a, b in pixels) < 8  # what both kinds lose


def test_a_video_is_judged_against_its_own_programs_folder() -> None:
    taken = {
        "C++": {"video": [Written(10, 1, 0)], "folder": [Written(10, 1, 0)]},
        "Python": {"video": [Written(9, 1, 0)], "folder": [Written(10, 1, 0)]},
    }
    verdicts = speed_verdicts(taken)
    assert [verdict.met for verdict in verdicts] == [True, False]
    assert verdicts[1].reached.median == pytest.approx(0.9)


def test_memory_is_looked_at_along_the_way() -> None:
    row = steady([sys.executable, "-c", PROGRAM], Path("artifact"), Path("clip"), 20)
    assert row["frames"] == 20
    early, half, late = (row[f"{when}_mib"] for when in ("early", "half", "late"))
    assert late - half > 64 > half - early  # of the 128 MiB and the 16 MiB that it takes by then
    assert row["growth"] == pytest.approx(late / half - 1, rel=0.01)

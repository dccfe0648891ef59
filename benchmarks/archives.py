"""Measures Ray on one machine against the plain program: ``python -m benchmarks.archives``

The same images become label maps on disk by `mpm-deploy run` and by `examples/ray_archive.py`, in
turns, each in two ways: an image after the other on all cores, and an image on each core. Both are
programs of their own, from files to files; Ray's also hashes what it reads and writes an index.

    FPS         images a second, by when label maps were written; the first quarter is not counted
    start       seconds until the first label map: Ray starts a cluster and an actor for each core
    end         seconds from the last label map to the end of the program

The target is of FPS, of each program by its faster way: 0.9 or more.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.bench.cache import merged
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table, verdicts_table
from benchmarks.bench.targets import judge
from benchmarks.bench.written import Written, write
from benchmarks.record import IMAGES, ROOT
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import PROGRAM
from mpm_deploy.support.cores import available_cores

LEAST_OF_PLAIN = 0.9
RAY_ARCHIVE = ROOT / "examples" / "ray_archive.py"

Row = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """A way to segment a folder: a program, how it shares the cores out, and its options."""

    program: str
    cores: str
    options: tuple[str, ...]

    def command(self, artifact: Path, images: Path, output: Path) -> list[str]:
        """Return the command that writes the label maps of a folder."""
        places = [str(artifact), str(images), str(output)]
        if self.program == "ray":
            return [sys.executable, str(RAY_ARCHIVE), *places, *self.options]
        return [*PROGRAM, "run", *places[:2], "-o", places[2], *self.options]


def ways(cores: int) -> list[Way]:
    """Return the ways that take turns."""
    all_cores, each_core = "an image on all of them", "an image on each"
    return [
        Way("plain", all_cores, ("--batch", "1")),
        Way("plain", each_core, ("--batch", str(cores))),
        Way("ray", all_cores, ("--cpus", str(cores))),
        Way("ray", each_core, ("--cpus", "1")),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--artifact", type=Path, help="default: the demo model")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--count", type=int, default=256, help="images, some of them repeated")
    parser.add_argument("--repeats", type=int, default=5)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure one row a way."""
    artifact = options.artifact or merged("cpu_fp32")
    turns: dict[Way, list[Written]] = {way: [] for way in ways(available_cores())}
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        repeat(find_images(options.images), options.count, archive)
        for index in range(options.repeats):
            for way in turns:
                output = Path(folder, f"{index}-{way.program}-{way.options[1]}")
                turns[way].append(write(way.command(artifact, archive, output), output))
    rows = [row_of(way, taken) for way, taken in turns.items()]
    verdict = judge("Ray's FPS over the plain program's", LEAST_OF_PLAIN, ratios(turns))
    record = {"images": options.count, "rows": rows, "verdicts": [asdict(verdict)]}
    yield Finding(record, [rows_table(rows, "an archive"), verdicts_table([verdict])])


def repeat(files: Sequence[Path], count: int, folder: Path) -> None:
    """Fill a folder with so many links to the same files."""
    folder.mkdir()
    for number, file in zip(range(count), itertools.cycle(files), strict=False):
        (folder / f"{number:05}{file.suffix}").symlink_to(file.resolve())


def row_of(way: Way, taken: Sequence[Written]) -> Row:
    """Return the medians over the turns of a way."""
    medians = {
        field.name: statistics.median(getattr(turn, field.name) for turn in taken)
        for field in fields(Written)
    }
    return {"program": way.program, "cores": way.cores, **medians}


def ratios(turns: Mapping[Way, Sequence[Written]]) -> list[float]:
    """Return Ray's FPS over the plain program's, turn by turn, each by its faster way."""
    best = {"plain": [], "ray": []}
    for program, values in best.items():
        taken = [each for way, each in turns.items() if way.program == program]
        values += [max(turn.fps for turn in same) for same in zip(*taken, strict=True)]
    return [ray / plain for ray, plain in zip(best["ray"], best["plain"], strict=True)]


MEMBER = Member(
    "archives", "a Ray cluster of one machine against the plain program", measure, add_options,
    needs=("ray", "pyarrow"),
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()

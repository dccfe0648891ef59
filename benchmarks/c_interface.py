"""Measures the C interface against C++: ``python -m benchmarks.c_interface``

Two programs that differ in nothing else, `workers/through_c.c` and `workers/through_cpp.cpp`, built
against the installed runner, each in a process of its own. In turns, each runs the same images, one
after the other, from files to label maps. The target is 0.99 of the FPS.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks.bench.cache import merged
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table, verdicts_table
from benchmarks.bench.targets import judge
from benchmarks.bench.turns import PAUSE_SECONDS, ratio
from benchmarks.record import CPP_RUNNER, IMAGES, ROOT
from mpm_deploy.images.decode import find_images

LEAST_OF_CPP = 0.99
WORKERS = ROOT / "benchmarks" / "workers"
LANGUAGES = {"C": "through_c", "C++": "through_cpp"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--artifact", type=Path, help="default: the demo model")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--limit", type=int, default=16, help="first images of the folder")
    parser.add_argument("--rounds", type=int, default=20)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure images a second through both."""
    artifact = options.artifact or merged("cpu_fp32")
    files = find_images(options.images)[: options.limit]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        programs = build(Path(folder))
        workers = {
            language: stack.enter_context(worker(programs / name, artifact, files))
            for language, name in LANGUAGES.items()
        }
        for each in workers.values():
            one_pass(each)  # warms up
        fps: dict[str, list[float]] = {language: [] for language in workers}
        for _ in range(options.rounds):
            for language, each in workers.items():
                fps[language].append(len(files) / one_pass(each))
    rows = [{"language": name, "fps": statistics.median(each)} for name, each in fps.items()]
    verdict = judge("C's FPS over C++'s", LEAST_OF_CPP, ratio(fps["C"], fps["C++"]))
    record = {"images": len(files), "rounds": options.rounds, "rows": rows}
    yield Finding(
        record | {"verdicts": [asdict(verdict)]},
        [rows_table(rows, "images a second"), verdicts_table([verdict])],
    )


def build(folder: Path) -> Path:
    """Install the runner, build both programs against it, and return where they are."""
    installed, programs = folder / "installed", folder / "programs"
    for command in (
        ("cmake", "--install", CPP_RUNNER.parent, "--prefix", installed),
        ("cmake", "-S", WORKERS, "-B", programs, "-DCMAKE_BUILD_TYPE=Release",
         f"-DCMAKE_PREFIX_PATH={installed}"),
        ("cmake", "--build", programs),
    ):  # fmt: skip
        subprocess.run([*map(str, command)], check=True, capture_output=True)
    return programs


def worker(program: Path, artifact: Path, files: Sequence[Path]) -> "subprocess.Popen[str]":
    """Start a program that waits for its turn."""
    command = [program, artifact, *files]
    return subprocess.Popen(
        [*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def one_pass(process: "subprocess.Popen[str]") -> float:
    """Return the seconds that a program took for all images."""
    time.sleep(PAUSE_SECONDS)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    return float(process.stdout.readline())


MEMBER = Member(
    "c_interface", "the C interface against C++", measure, add_options, needs=(CPP_RUNNER,)
)

if __name__ == "__main__":
    MEMBER.run()

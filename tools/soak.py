"""Feeds images through both programs for long, and prints what would grow if anything leaked.

    python tools/soak.py segmenter.pt segmenter.pt2 --images 20000

Images are small, of many sizes, and one in fifty is broken. Each row is a pass over a thousand of
them by one process that stays open; every other one runs beside a busy process per core. CPU ms is
what an image costs: beside others an engine has fewer FPS, and what its threads burn as they wait
shows there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.support.cores import cores_of_affinity

ROOT = Path(__file__).parent.parent
PROGRAMS = {"Python": PROGRAM, "C++": (str(ROOT / "build" / "cpp_runner"),)}
A_PASS = 1000  # images
ONE_BROKEN_IN = 50
COLUMNS = (
    "program  artifact  images  skipped    MiB  threads  descriptors  temporary  load     FPS"
    "  CPU ms"
)
BUSY = (sys.executable, "-c", "while True: pass")


def make_images(folder: Path) -> None:
    """Write a thousand images, 32 to 64 pixels a side, of which some end too early."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(A_PASS):
        height, width = random.integers(32, 65, 2)
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        path = folder / f"{number:04}.{'png' if number % 3 else 'jpg'}"
        Image.fromarray(pixels).save(path)
        if number % ONE_BROKEN_IN == 0:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep as many cores busy."""
    busy = [subprocess.Popen(BUSY) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def state_of(process: int) -> str:
    """Return resident MiB, threads, descriptors, and files below the folder for temporary ones."""
    facts = Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (facts / "status").read_text().splitlines())
    resident = int(status["VmRSS"].split()[0]) / 1024
    descriptors = sum(1 for _ in (facts / "fd").iterdir())
    temporary = sum(1 for path in Path(tempfile.gettempdir()).rglob("*") if path.is_file())
    return f"{resident:5.0f}  {int(status['Threads']):7}  {descriptors:11}  {temporary:9}"


def cpu_seconds(process: int) -> float:
    """Return what a process has taken of the cores."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def soak(engine: Engine, passes: int, about: str, batch_size: int) -> None:
    """Print a row for each pass."""
    for number in range(passes):
        busy = cores_of_affinity() if number % 2 else 0
        before = cpu_seconds(engine.process_id)
        with load(busy):
            took = engine.ask("end_to_end", batch_size=batch_size)
        state = state_of(engine.process_id)
        images, skipped = took["images"], len(took["skipped"])
        cost = 1000 * (cpu_seconds(engine.process_id) - before) / images
        print(
            f"{about}  {(number + 1) * A_PASS:6}  {skipped:7}  {state}  {busy:4}  "
            f"{images / took['seconds']:6.1f}  {cost:6.1f}",
            flush=True,
        )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("artifacts", nargs="+", type=Path, metavar="ARTIFACT")
    parser.add_argument("--images", type=int, default=20 * A_PASS, metavar="N")
    parser.add_argument("--batch", type=int, default=1, metavar="B")
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument("--program", choices=PROGRAMS, action="append")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        images, temporary = Path(folder, "images"), Path(folder, "temporary")
        make_images(images)
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        print(COLUMNS)
        for artifact in arguments.artifacts:
            for name in arguments.program or PROGRAMS:
                about = f"{name:7}  {artifact.suffix:8}"
                options = {"threads": arguments.threads, "program": PROGRAMS[name]}
                with Engine(artifact, images, **options) as engine:
                    soak(engine, arguments.images // A_PASS, about, arguments.batch)


if __name__ == "__main__":
    main()

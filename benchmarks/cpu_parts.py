"""Measures where a compiled model's time goes on one core: ``python -m benchmarks.cpu_parts``

The demo model by each native recipe, merged. Linux's `perf` looks a thousand times a second which
code runs, and what it finds is counted by kinds of code. The FLOPs of linear layers, and those of
attention with the search for neighbors, are set beside the fastest products of matrices on one core
in the same precision; in int8 attention is in bfloat16, and similarities are float32 everywhere.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import time
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest import mock
from zipfile import ZipFile

from rich.table import Table

from benchmarks.bench.cache import merged
from benchmarks.bench.ceilings import measure_cpu
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from benchmarks.record import IMAGES
from mpm_deploy.artifact import Manifest
from mpm_deploy.images.decode import find_images
from mpm_deploy.run.runner import Runner

RECIPES = ("cpu_fp32", "cpu_bf16", "cpu_int8")
IMAGES_TAKEN = 8  # again and again, so that oneDNN has made its kernels for their numbers of tokens
_LIBRARY = ".wrapper.so"  # of compiled code, as it is called in a .pt2
_ONEDNN = "linear layers: oneDNN"
_COMPILED = "norms, gathers, rounding: compiled loops"
# Words of a function's name, the first that fits; these are the kernels in the file.
_KINDS = {
    "attention: products": ("Tiles::", "Attention<", "Vectors<", "pack_"),
    "attention: softmax": ("weigh<", "attend_image"),
    "nearest neighbors": ("Search::", "most_similar"),
    "GELU": ("gelu", "look_up"),
}
_ELSEWHERE = {
    "libmpm_kernels": "label map",
    "libtorch": "torch and oneDNN, around their kernels",
    "libc.": "memory",
}
_REST = "Python, threads, the system"

Row = dict[str, Any]


class Sample(NamedTuple):
    """What ran at one moment: an address, the function where perf knows it, and the library."""

    address: int
    function: str
    library: str


class Mapped(NamedTuple):
    """A library in memory: where it begins and ends, and from which byte of its file on."""

    begin: int
    end: int
    offset: int
    library: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--seconds", type=float, default=8, help="to look at each (default 8)")


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure the parts of one recipe after the other, and what products alone reach."""
    ceiling = measure_cpu(threads=1)
    rows = []
    for recipe in RECIPES:
        row = parts_of(merged(recipe), options.seconds)
        rows.append(row | {"ceiling": ceiling.get(row["precision"])})
    yield Finding({"images": IMAGES_TAKEN, "rows": rows}, [parts_table(rows)])


def parts_of(artifact: Path, seconds: float) -> Row:
    """Run images on one core, and return the milliseconds of an image by kinds of code."""
    with TemporaryDirectory() as folder:
        record = Path(folder) / "perf.data"
        ran = _run_under_perf(artifact, seconds, record)
        samples, mapped = samples_of(record), mapped_in(record)
        functions = {path.name: functions_of(path) for path in _unpack_libraries(artifact, folder)}
    kinds = Counter(kind_of(_named(sample, mapped, functions)) for sample in samples)
    parts = {kind: ran["milliseconds"] * count / len(samples) for kind, count in kinds.items()}
    return ran | {"samples": len(samples), "parts": parts}


def kind_of(sample: Sample) -> str:
    """Say what kind of code a sample ran."""
    if sample.library.startswith("perf-"):  # what oneDNN compiled as it ran
        return _ONEDNN
    if sample.library.endswith(_LIBRARY):
        kinds = (kind for kind, words in _KINDS.items() if any(w in sample.function for w in words))
        return next(kinds, _COMPILED)
    return next((kind for name, kind in _ELSEWHERE.items() if name in sample.library), _REST)


def parts_table(rows: list[Row]) -> Table:
    """Make a table of milliseconds, a column for each precision."""
    table = columns(("kind",), [row["precision"] for row in rows])
    kinds = sorted({kind for row in rows for kind in row["parts"]})
    kinds.sort(key=lambda kind: -sum(row["parts"].get(kind, 0) for row in rows))
    for kind in kinds:
        table.add_row(kind, *(f"{row['parts'].get(kind, 0):.1f}" for row in rows))
    table.add_section()
    table.add_row("all", *(f"{row['milliseconds']:.1f}" for row in rows))
    for kind in ("linear layers", "attention and neighbors"):
        rates = [row["gflops"][kind] / _milliseconds(row, kind) * 1e3 for row in rows]
        table.add_row(f"GFLOP/s, {kind}", *(f"{rate:.0f}" for rate in rates))
    ceilings = (row["ceiling"] for row in rows)
    table.add_row("GFLOP/s, products alone", *("–" if c is None else f"{c:.0f}" for c in ceilings))
    return table


def _milliseconds(row: Row, kind: str) -> float:
    """Add up the milliseconds of the kinds of code that a kind of FLOPs is computed by."""
    words = kind.split(" and ")
    return sum(time for name, time in row["parts"].items() if any(w in name for w in words))


def _run_under_perf(artifact: Path, seconds: float, record: Path) -> Row:
    """Have another process run images on one core, and look at it once it is warm."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(artifact, theirs), daemon=True)
    with mock.patch.dict(os.environ, ONEDNN_JIT_PROFILE="2"):  # oneDNN names its code for perf
        process.start()
    theirs.close()  # that the end of its process is the end of what it says
    ours.recv()
    command = ["perf", "record", "-F", "999", "-o", str(record), "-p", str(process.pid)]
    subprocess.run([*command, "sleep", str(seconds)], check=True, capture_output=True)
    ours.send("stop")
    ran: Row = ours.recv()
    process.join()
    return ran


def _run(artifact: Path, connection: Connection) -> None:
    """Run images until told to stop, and send what one took."""
    with Runner(artifact, threads=1) as runner:
        images = [runner.load(path) for path in islice(find_images(IMAGES), IMAGES_TAKEN)]
        results = [runner.infer([image])[0] for image in images]
        connection.send("warm")
        count, begin = 0, time.process_time()
        while not connection.poll():
            runner.infer([images[count % len(images)]])
            count += 1
        milliseconds = (time.process_time() - begin) / count * 1e3
        gflops = [_gflops(runner.manifest, result.tokens_kept) for result in results]
    mean = {kind: fmean(each[kind] for each in gflops) for kind in gflops[0]}
    connection.send(
        {"precision": runner.manifest.requires.dtype, "milliseconds": milliseconds, "gflops": mean}
    )


def _gflops(manifest: Manifest, kept: Sequence[int]) -> dict[str, float]:
    """Count the FLOPs of one image: those of pairs of tokens are the quadratic ones."""
    tokens = (manifest.patches, *kept)
    stages = zip(manifest.flops.stages, tokens, strict=True)
    pairs = sum(stage.quadratic * count**2 for stage, count in stages)
    rest = manifest.flops.total(tokens) - pairs
    return {"linear layers": rest / 1e9, "attention and neighbors": pairs / 1e9}


def functions_of(library: Path) -> list[tuple[int, str]]:
    """Read where the functions of a library begin, from the first to the last byte of its file.

    Raises:
        subprocess.CalledProcessError: `nm` or `readelf` cannot read it.
    """
    loads = [
        [int(word, 16) for word in line.split()[1:3]]  # offset in the file, address
        for line in _lines("readelf", "-lW", str(library))
        if line.split()[:1] == ["LOAD"]
    ]
    found = []
    for line in _lines("nm", "--demangle", str(library)):
        address, kind, name = (*line.split(" ", 2), "", "")[:3]
        if kind in ("t", "T", "w", "W"):
            place = int(address, 16)
            offset, begin = max(load for load in loads if load[1] <= place)
            found.append((place - begin + offset, name))
    return sorted(found)


def _unpack_libraries(artifact: Path, folder: str) -> list[Path]:
    """Unpack the compiled libraries of a ``.pt2`` into a folder."""
    with ZipFile(artifact) as archive:
        names = [name for name in archive.namelist() if name.endswith(_LIBRARY)]
        return [Path(archive.extract(name, folder)) for name in names]


def _named(
    sample: Sample, mapped: list[Mapped], functions: dict[str, list[tuple[int, str]]]
) -> Sample:
    """Name the function of a sample in compiled code, which perf finds deleted."""
    for where in mapped:
        if where.begin <= sample.address < where.end and where.library in functions:
            here = functions[where.library]
            offset = sample.address - where.begin + where.offset
            place = bisect(here, (offset, "\uffff")) - 1
            return sample._replace(function=here[place][1] if place >= 0 else "")
    return sample


def samples_of(record: Path) -> list[Sample]:
    """Read the samples of a record."""
    pattern = re.compile(r"\s*([0-9a-f]+) (.*?) \((\S+?)(?: \(deleted\))?\)\s*")
    found = map(pattern.fullmatch, _perf("script", record, "-F", "ip,sym,dso"))
    return [Sample(int(m[1], 16), m[2], m[3].rpartition("/")[2]) for m in found if m]


def mapped_in(record: Path) -> list[Mapped]:
    """Read where compiled code was in memory: it was unpacked, mapped and deleted."""
    pattern = re.compile(r"MMAP2 .*\[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (\w+) .*: r-xp (\S+)")
    found = map(pattern.search, _perf("script", record, "--show-mmap-events"))
    return [
        Mapped(int(m[1], 16), int(m[1], 16) + int(m[2], 16), int(m[3], 0), m[4].rpartition("/")[2])
        for m in found
        if m and _LIBRARY in m[4]
    ]


def _perf(command: str, record: Path, *options: str) -> list[str]:
    return _lines("perf", command, "-i", str(record), *options)


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


MEMBER = Member(
    "cpu_parts",
    "where a compiled model's time goes on one core, part by part",
    measure,
    add_options,
    needs=(Path("perf"), Path("nm"), Path("readelf")),
)

if __name__ == "__main__":
    MEMBER.run()

"""Measures the paper's H100 tables anew: ``python -m benchmarks.h100``

Times each row of Tables 1, 2, 3, 5 and 6 merged by Mutual Pair Merging, ToMe and ALGM, in turns
with full-token, at batch 1, 2 and 32; compares the C++ program's label maps with Python's; and
profiles both. ``run.sh`` of the bundle (``make gpu-bundle``) calls it for each part:

    python -m benchmarks.h100 --list
    python -m benchmarks.h100 --rows seg_l16_mask-512-bfloat16 --methods mpm --build-only merged
    python -m benchmarks.h100 --rows seg_l16_mask-512-bfloat16 --methods mpm
    python -m benchmarks.h100 --take FOLDER        at home: files what the bundle brought back

Writes ``benchmarks/results/h100-<gpu>.json`` measurement by measurement.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.gpu import prepare, rehearsal
from benchmarks.gpu.measure import VARIANTS, Conditions, Part
from benchmarks.gpu.record import GpuRecord, on_file, read_record
from benchmarks.gpu.rows import DTYPES, METHODS, SUBJECTS, TABLES, Subject, choose
from benchmarks.gpu.stages import measured_before, start_record
from benchmarks.gpu.tables import every_table, notes
from benchmarks.record import RESULTS, write_result
from mpm_deploy.support.schema import to_mapping

Pair = tuple[Subject, str]


def main() -> None:
    arguments = parse_arguments()
    torch._C._set_print_stack_traces_on_fatal_signal(True)  # what faulthandler does not see: C++
    wanted = [(subject, method) for subject in chosen(arguments) for method in arguments.methods]
    if arguments.list:
        print(*dict.fromkeys(subject.name for subject, _ in wanted), sep="\n")
    elif arguments.take:
        show(take(arguments.take))
    elif arguments.build_only:
        for subject, method in wanted:
            print(part_of(subject, method, arguments).build(arguments.build_only))
    else:
        measure(wanted, arguments)


def measure(wanted: Iterable[Pair], arguments: argparse.Namespace) -> None:
    """Measure every part that is not on file."""
    record = begun(arguments.stand_ins)
    for subject, method in wanted if arguments.again else missing(record, wanted):
        for result in part_of(subject, method, arguments).measure():
            record = record.with_part(result)
            write_result(record.file_name, to_mapping(record))
        show(replace(record, parts=(), verdicts=()).with_part(result))


def begun(stand_ins: bool) -> GpuRecord:
    """Return the record on file of this GPU, or of a rehearsal; else begin one."""
    if stand_ins:
        rehearsal.use_one_thread()
        return on_file(rehearsal.GPU) or rehearsal.start_record()
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device: run this on a machine with an H100")
    return measured_before() or start_record(torch.device("cuda"))


def missing(record: GpuRecord, wanted: Iterable[Pair]) -> Iterator[Pair]:
    """Yield the rows and methods that are not on file."""
    for subject, method in wanted:
        if not record.has(subject.name, method):
            yield subject, method


def part_of(subject: Subject, method: str, arguments: argparse.Namespace) -> Part:
    """Return a row's part, or its stand-in."""
    if arguments.stand_ins:
        return rehearsal.part_of(subject, method)
    conditions = Conditions(
        images=prepare.scenes(arguments.images),
        repeats=arguments.repeats,
        timed_images=arguments.images,
    )
    return Part(subject, method, prepare.weights(subject), conditions)


def take(folder: Path) -> GpuRecord:
    """File the record that the bundle brought back, beside what was on file of that GPU.

    Raises:
        SystemExit: There is no record, or it is a rehearsal's.
    """
    found = sorted(folder.glob("h100-*.json"))
    if len(found) != 1:
        sys.exit(f"{folder}: expected one h100-*.json, got {len(found)}: name run.sh's OUT")
    brought = record = read_record(found[0])
    if brought.gpu == rehearsal.GPU:
        sys.exit(f"{found[0]}: it is a rehearsal's: nothing in it was measured")
    target = RESULTS / found[0].name
    if target.exists():
        record = read_record(target)
        for part in brought.parts:
            record = record.with_part(part)
    data = json.loads(found[0].read_text()) | to_mapping(record)
    target.write_text(json.dumps(data, indent=2) + "\n")
    subprocess.run([sys.executable, "-m", "benchmarks.render_readme"], check=True)
    return record


def show(record: GpuRecord) -> None:
    """Print the tables and notes of a record."""
    console = Console(width=170, highlight=False, markup=False)
    for title, table in every_table(record):
        console.print(f"\n{title}", table, sep="\n")
    console.print(*notes(record), sep="\n")


def chosen(arguments: argparse.Namespace) -> tuple[Subject, ...]:
    """Return the rows that the command line names."""
    subjects = choose(arguments.rows, arguments.tables, arguments.models, arguments.precisions)
    if not subjects:
        sys.exit("no row is all of that: --list names them")
    return subjects


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    models = dict.fromkeys(subject.model for subject in SUBJECTS.values())
    parser.add_argument("--rows", nargs="+", choices=[*SUBJECTS], default=[], metavar="ROW")
    parser.add_argument("--tables", nargs="+", type=int, choices=TABLES, default=[])
    parser.add_argument("--models", nargs="+", choices=[*models], default=[], metavar="MODEL")
    parser.add_argument("--precisions", nargs="+", choices=[*DTYPES.values()], default=[])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--again", action="store_true", help="measure also what is on file")
    parser.add_argument(
        "--build-only", choices=VARIANTS, help="one of the two artifacts, and measure nothing"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns of each artifact")
    parser.add_argument("--images", type=int, default=256, help="different JPEGs")
    parser.add_argument("--list", action="store_true", help="name the rows, and measure nothing")
    parser.add_argument(
        "--take", type=Path, metavar="FOLDER", help="file what the bundle's run.sh brought back"
    )
    parser.add_argument(
        "--stand-ins", action="store_true", help="small models on a CPU: no measurement"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()

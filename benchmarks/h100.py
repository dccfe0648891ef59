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

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/h100.py`

from benchmarks.gpu import pages, prepare, rehearsal
from benchmarks.gpu.methods import METHODS
from benchmarks.gpu.part import VARIANTS, Conditions, Part
from benchmarks.gpu.records import has_part, measured_before, name_of, start_record, with_part
from benchmarks.gpu.results import GpuRecord
from benchmarks.gpu.show import show
from benchmarks.gpu.subjects import DTYPES, SUBJECTS, TABLES, Subject, choose
from benchmarks.record import RESULTS, write_result
from mpm_deploy.support.schema import to_mapping


def main() -> None:
    arguments = parse_arguments()
    torch._C._set_print_stack_traces_on_fatal_signal(True)  # what faulthandler does not see: C++
    wanted = [(subject, method) for subject in chosen(arguments) for method in arguments.methods]
    if arguments.list:
        print(*dict.fromkeys(subject.name for subject, _ in wanted), sep="\n")
    elif arguments.take:
        show(take(arguments.take), Console(width=170))
    elif arguments.build_only:
        for subject, method in wanted:
            print(part_of(subject, method, arguments).build(arguments.build_only))
    else:
        measure(wanted, arguments, Console(width=170))


def measure(
    wanted: Iterable[tuple[Subject, str]], arguments: argparse.Namespace, console: Console
) -> None:
    """Measure every part that is not on file."""
    if not torch.cuda.is_available() and not arguments.stand_ins:
        sys.exit("torch sees no CUDA device: run this on a machine with an H100")
    if arguments.stand_ins:
        rehearsal.use_one_thread()
        record = rehearsal.measured_before() or rehearsal.start_record()
    else:
        record = measured_before() or start_record(torch.device("cuda"))
    for subject, method in wanted if arguments.again else missing(record, wanted):
        for result in part_of(subject, method, arguments).measure():
            record = with_part(record, result)
            write_result(name_of(record), to_mapping(record))
        show(with_part(replace(record, parts=()), result), console)


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
    brought = pages.read(found[0])
    if brought.record.gpu == rehearsal.GPU:
        sys.exit(f"{found[0]}: it is a rehearsal's: nothing in it was measured")
    target = RESULTS / found[0].name
    if target.exists():
        record = pages.read(target).record
        for part in brought.record.parts:
            record = with_part(record, part)
        brought.data.update(to_mapping(record))
    target.write_text(json.dumps(brought.data, indent=2) + "\n")
    subprocess.run([sys.executable, "-m", "benchmarks.render_readme"], check=True)
    return pages.read(target).record


def missing(
    record: GpuRecord, wanted: Iterable[tuple[Subject, str]]
) -> Iterator[tuple[Subject, str]]:
    """Yield the rows and methods that are not on file."""
    for subject, method in wanted:
        if not has_part(record, subject.name, method):
            yield subject, method


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

"""The paper's H100 tables, measured anew: ``python -m benchmarks.h100``

Builds each row of Tables 1, 2, 3, 5 and 6 merged by Mutual Pair Merging, ToMe and ALGM, and
full-token; checks it against the eager model, and the C++ program's label maps against Python's;
and times merged and full-token in turns at batch 1, 2 and 32. A model without weights is trained
first, some minutes on procedural scenes, for trained features decide how much merges.

    python -m benchmarks.h100 --list
    python -m benchmarks.h100 --tables 5 --minutes 9
    python -m benchmarks.h100 --rows seg_l16_mask-512-bfloat16 --methods mpm --again
    python -m benchmarks.h100 --dry-run

Writes ``benchmarks/results/h100-<gpu>.json`` part by part. Called again, it goes on with what is
not on file. ``--dry-run`` goes the whole way on a CPU with stand-ins, and measures nothing.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/h100.py`

from benchmarks.gpu import dry_run, prepare
from benchmarks.gpu.methods import METHODS
from benchmarks.gpu.part import Conditions, Part
from benchmarks.gpu.records import has_part, measured_before, name_of, start_record, with_part
from benchmarks.gpu.results import GpuRecord
from benchmarks.gpu.show import show
from benchmarks.gpu.subjects import DTYPES, SUBJECTS, TABLES, Subject, choose
from benchmarks.gpu.tables import kernels_table
from benchmarks.record import write_result
from mpm_deploy.structure import to_mapping


def main() -> None:
    arguments = parse_arguments()
    wanted = [(subject, method) for subject in chosen(arguments) for method in arguments.methods]
    console = Console(width=170)
    if arguments.list:
        print(*dict.fromkeys(subject.name for subject, _ in wanted), sep="\n")
    elif arguments.dry_run:
        dry_run.run(wanted, console)
    else:
        measure(wanted, arguments, console)


def measure(
    wanted: Iterable[tuple[Subject, str]], arguments: argparse.Namespace, console: Console
) -> None:
    """Every part that is not on file, while there is time."""
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device: run this on a machine with an H100, or --dry-run")
    end = time.monotonic() + 60 * arguments.minutes
    record = measured_before() or start_record(torch.device("cuda"))
    conditions = Conditions(
        images=prepare.scenes(arguments.images),
        repeats=arguments.repeats,
        parity_images=arguments.images,
    )
    todo = list(wanted if arguments.again else missing(record, wanted))
    for done, (subject, method) in enumerate(todo):
        if time.monotonic() > end:
            console.print(f"{len(todo) - done} parts are left: call it again.")
            break
        weights = prepare.weights(subject, arguments.train_minutes)
        part = Part(subject, method, weights, conditions)
        if arguments.build_only:
            console.print(*part.artifacts(), sep="\n")
        else:
            record = grow(record, part, console)
    show(record, console)


def missing(
    record: GpuRecord, wanted: Iterable[tuple[Subject, str]]
) -> Iterator[tuple[Subject, str]]:
    """What is not on file."""
    for subject, method in wanted:
        if not has_part(record, subject.name, method):
            yield subject, method


def grow(record: GpuRecord, part: Part, console: Console) -> GpuRecord:
    """The record with one part more, written at once."""
    record = with_part(record, part.measure())
    write_result(name_of(record), to_mapping(record))
    console.print(kernels_table(record.parts[-1].profiles[-1]))
    return record


def chosen(arguments: argparse.Namespace) -> tuple[Subject, ...]:
    """The rows that the command line names."""
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
        "--build-only", action="store_true", help="weights and artifacts, and measure nothing"
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no part after so many"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns of each artifact")
    parser.add_argument("--images", type=int, default=512, help="different JPEGs")
    parser.add_argument(
        "--train-minutes", type=float, default=2.0, help="of a model without weights; 0: random"
    )
    parser.add_argument("--list", action="store_true", help="name the rows, and measure nothing")
    parser.add_argument(
        "--dry-run", action="store_true", help="on a CPU with stand-ins: no measurement"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()

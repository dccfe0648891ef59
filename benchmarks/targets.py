"""Hold reports against the targets: ``targets.py PYTHON_REPORT CPP_REPORT``.

    model       model FPS ratio ÷ FLOP ratio at the tokens kept          at least 0.92
    pipeline    end-to-end FPS ÷ what model and label time allow         at least 0.90
    C++         its end-to-end FPS ÷ Python's                            at least 0.97

Both reports come from a bench with ``--against``, as `make demo` leaves them.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mpm_deploy.report import Measurement, Report
from mpm_deploy.structure import read_structure

MODEL, PIPELINE, CPP = 0.92, 0.90, 0.97


@dataclass(frozen=True)
class Outcome:
    """What was reached of one target."""

    program: str
    batch_size: int
    target: str
    least: float
    reached: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, metavar="PYTHON_REPORT")
    parser.add_argument("cpp", type=Path, metavar="CPP_REPORT")
    arguments = parser.parse_args()
    python, cpp = (read_report(path) for path in (arguments.python, arguments.cpp))
    outcomes = [*own_targets(python), *own_targets(cpp), *between(python, cpp)]
    Console(width=100).print(as_table(outcomes))
    sys.exit(0 if all(outcome.reached >= outcome.least for outcome in outcomes) else 1)


def read_report(path: Path) -> Report:
    """A report that a bench wrote with ``--json``."""
    return read_structure(Report, json.loads(path.read_text()))


def own_targets(report: Report) -> Iterator[Outcome]:
    """What a program must reach by itself."""
    program = report.host.program
    for ratio in report.comparison.results if report.comparison else ():
        reached = ratio.model_fps_ratio.median / ratio.flop_ratio
        yield Outcome(program, ratio.batch_size, "model", MODEL, reached)
    for measured in report.results:
        reached = measured.end_to_end_fps / allowed_fps(measured)
        yield Outcome(program, measured.batch_size, "pipeline", PIPELINE, reached)


def allowed_fps(measured: Measurement) -> float:
    """Images a second if the model and the labels never waited for anything."""
    stages = measured.stages_ms
    return 1000 / (stages.copy + stages.scores + stages.labels)


def between(python: Report, cpp: Report) -> Iterator[Outcome]:
    """What C++ must reach of Python, where both measured a batch size."""
    of_python = {measured.batch_size: measured for measured in python.results}
    for measured in cpp.results:
        if measured.batch_size in of_python:
            reached = measured.end_to_end_fps / of_python[measured.batch_size].end_to_end_fps
            yield Outcome("cpp", measured.batch_size, "C++", CPP, reached)


def as_table(outcomes: list[Outcome]) -> Table:
    """One row a target."""
    table = Table("program", "batch", "target", "at least", "reached", "")
    for outcome in outcomes:
        is_met = outcome.reached >= outcome.least
        table.add_row(
            outcome.program,
            str(outcome.batch_size),
            outcome.target,
            f"{outcome.least:.2f}",
            f"{outcome.reached:.3f}",
            "met" if is_met else "missed",
        )
    return table


if __name__ == "__main__":
    main()

"""Implements ``mpm-deploy eval``, which measures an artifact's accuracy on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import (
    DONE,
    SKIPPED,
    progress,
    say,
    show,
    warn_of_doubts,
    warn_of_random,
    warn_of_skipped,
    write_json,
)
from mpm_deploy.cli.options import (
    add_dataset_options,
    add_host_options,
    add_stride_option,
    add_trust_option,
    positive,
)
from mpm_deploy.errors import InputError
from mpm_deploy.support.files import check_can_write

if TYPE_CHECKING:
    from mpm_deploy.measure.accuracy.evaluate import Evaluation

HELP = "measure accuracy on a data set: mIoU, boundary F-score, the IoU of each class"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    add_dataset_options(parser)
    parser.add_argument("--limit", type=positive, metavar="N", help="first N images")
    parser.add_argument("--batch", type=positive, default=1, metavar="B", help="images a call")
    add_stride_option(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the evaluation")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep what is counted there, and go on from it; with --json the default is "
        "FILE.state, until it is done",
    )
    add_trust_option(parser)
    add_host_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the artifact, and print the IoU of each class and the means."""
    beside = arguments.json and arguments.json.with_name(f"{arguments.json.name}.state")
    state = arguments.state or beside
    check_can_write(arguments.json, state, begins=b"{")
    if arguments.json and arguments.json == state:
        raise InputError(f"{state}: expected two files for --json and --state", "name another one")
    from mpm_deploy.datasets import open_dataset

    dataset = open_dataset(arguments.dataset, arguments.root)
    from mpm_deploy.measure.accuracy.evaluate import evaluate

    with progress("images") as tell:
        evaluation = evaluate(
            arguments.artifact,
            dataset,
            limit=arguments.limit,
            batch_size=arguments.batch,
            stride=arguments.stride,
            device=arguments.device,
            threads=arguments.threads,
            trust=arguments.trust,
            state=state,
            progress=tell,
        )
    if arguments.json:
        write_json(arguments.json, evaluation.to_dict())
        if arguments.state is None:
            beside.unlink(missing_ok=True)
    _show_evaluation(evaluation)
    return SKIPPED if evaluation.skipped else DONE


def _show_evaluation(evaluation: Evaluation) -> None:
    from mpm_deploy.show.tables import evaluation_summary, evaluation_table

    show(evaluation_table(evaluation))
    say(f"\n{evaluation_summary(evaluation)}")
    warn_of_random(evaluation.artifact.weights)
    warn_of_doubts(evaluation.doubts)
    for skipped in evaluation.skipped:
        warn_of_skipped(skipped.path, skipped.reason)

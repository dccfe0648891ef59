"""Implements ``mpm-deploy bench``, which times an artifact."""

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
    talk,
    warn_of_plain_label_maps,
    warn_of_random,
    warn_of_skipped,
    write_json,
)
from mpm_deploy.cli.options import (
    add_host_options,
    add_max_pixels_option,
    add_stride_option,
    add_trust_option,
    add_workers_option,
    positive,
    positives,
)
from mpm_deploy.measure.speed.defaults import BATCH_SIZES, REPEATS
from mpm_deploy.support.files import check_can_write

if TYPE_CHECKING:
    from mpm_deploy.measure.speed.report import Report

HELP = "measure images a second, end to end and model alone"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--against", type=Path, metavar="ARTIFACT", help="say how many times faster"
    )
    parser.add_argument(
        "--program",
        metavar="FILE",
        help="the C++ program, build/cpp_runner, to time it instead of Python",
    )
    usual = ",".join(map(str, BATCH_SIZES))
    parser.add_argument("--batch", type=positives, default=BATCH_SIZES, metavar=usual)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report")
    parser.add_argument("--limit", type=positive, metavar="N", help="first N images of the folder")
    parser.add_argument(
        "--repeats",
        type=positive,
        default=REPEATS,
        metavar="R",
        help="turns of each artifact with --against (default %(default)s)",
    )
    parser.add_argument("--warmup", type=positive, metavar="N", help="batches before timing")
    add_max_pixels_option(parser)
    add_stride_option(parser)
    add_trust_option(parser)
    add_host_options(parser)
    add_workers_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Time the artifact, and print the report."""
    check_can_write(arguments.json, begins=b"{")
    from mpm_deploy.measure.speed.bench import bench

    with progress("passes") as tell:
        report = bench(
            arguments.artifact,
            arguments.folder,
            against=arguments.against,
            batch_sizes=arguments.batch,
            program=arguments.program,
            device=arguments.device,
            threads=arguments.threads,
            workers=arguments.workers,
            limit=arguments.limit,
            stride=arguments.stride,
            max_pixels=arguments.max_pixels,
            trust=arguments.trust,
            repeats=arguments.repeats,
            warmup=arguments.warmup,
            progress=tell,
        )
    if arguments.json:
        write_json(arguments.json, report.to_dict())
    _show_report(report)
    return SKIPPED if report.skipped else DONE


def _show_report(report: Report) -> None:
    from mpm_deploy.show.tables import (
        comparison_table,
        contention_sentence,
        report_title,
        results_table,
    )

    say(report_title(report))
    show(results_table(report.results))
    if report.comparison:
        say(f"\nagainst {report.comparison.against.path}")
        show(comparison_table(report.comparison.results))
        say(f"\n{report.comparison.verdict}")
    against = [report.comparison.against.weights] if report.comparison else []
    warn_of_random(report.artifact.weights, *against)
    warn_of_plain_label_maps(report.host)
    if contended := contention_sentence(report):
        talk(contended)
    for left_out in report.left_out:
        talk(f"left out batch {left_out.batch_size}: {left_out.reason}")
    for skipped in report.skipped:
        warn_of_skipped(skipped.path, skipped.reason)

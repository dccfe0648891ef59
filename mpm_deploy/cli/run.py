"""Implements ``mpm-deploy run``, which writes what an artifact sees in images and videos."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mpm_deploy.cli.console import DONE, SKIPPED, progress, talk, warn_of_random, warn_of_skipped
from mpm_deploy.cli.options import (
    add_host_options,
    add_max_pixels_option,
    add_source_options,
    add_stride_option,
    add_trust_option,
    add_workers_option,
    nonempty,
    positive,
)

if TYPE_CHECKING:
    from mpm_deploy.run.runner import Runner
    from mpm_deploy.run.sources import Source

HELP = "write a label map for each image, or what is seen in a video or by a camera"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    add_source_options(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR|FILE.mp4|FILE.mkv",
        help="a folder for label maps, or of a video one with label maps over its frames",
    )
    parser.add_argument(
        "--json",
        type=nonempty,
        metavar="FILE|-",
        help="a JSON line for each image or frame: time, share of each class, tokens kept",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help="images or windows a call; default: one a thread of a CPU, what a GPU's artifact "
        "takes, and of a live source one",
    )
    parser.add_argument(
        "--scores", action="store_true", help="write class scores too, beside each label map"
    )
    parser.add_argument(
        "--label-size",
        choices=["image", "input"],
        default="image",
        metavar="image|input",
        help="size of the label maps: image, input",
    )
    parser.set_defaults(refuse=parser.error)
    add_max_pixels_option(parser)
    add_stride_option(parser)
    add_trust_option(parser)
    add_host_options(parser)
    add_workers_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write what was asked for, and say how much there is."""
    from mpm_deploy.cli.run_outputs import RunOutputs
    from mpm_deploy.run.outputs import LABELS
    from mpm_deploy.run.results import name_of
    from mpm_deploy.run.runner import Runner
    from mpm_deploy.run.sources import SourceOptions, open_sources

    if arguments.output is None and arguments.json is None:
        arguments.refuse("nothing is to be written: one of -o/--output and --json is required")
    options = SourceOptions(
        arguments.recursive, arguments.reconnect, arguments.reconnect_wait, arguments.timeout
    )
    kinds = (*LABELS, "scores") if arguments.scores else LABELS
    with open_sources(arguments.sources, options) as source:
        outputs = RunOutputs(arguments, source)
        with (
            Runner(
                arguments.artifact,
                device=arguments.device,
                threads=arguments.threads,
                workers=arguments.workers,
                label_size=arguments.label_size,
                stride=arguments.stride,
                max_pixels=arguments.max_pixels,
                trust=arguments.trust,
            ) as runner,
            outputs.open(arguments.artifact, runner.manifest),
            progress("images") as tell,
            closing(
                runner.run(source, batch_size(arguments, runner, source), outputs=kinds)
            ) as outcomes,
        ):
            for index, outcome in enumerate(outcomes, start=1):
                reason = outputs.write(index, outcome)
                if reason is not None:
                    name = name_of(outcome.source) if outcome.ok else outcome.path
                    warn_of_skipped(name, reason)
                tell(index, source.total)
                if outputs.nobody_reads():
                    break
            warn_of_random(runner.manifest.weights.origin)
        talk(outputs.said())
        return SKIPPED if outputs.skipped or source.losses.broken else DONE


def batch_size(arguments: argparse.Namespace, runner: Runner, source: Source) -> int:
    """Return what was asked for, or the usual; but what is live grows old while a batch fills."""
    size: int = arguments.batch or (1 if source.live else runner.usual_batch_size)
    return size

"""Implements ``mpm-deploy worker``, the process that ``bench`` times artifacts in."""

import argparse
import os
import sys
from pathlib import Path

from mpm_deploy.cli.console import DONE, data_stream, discard
from mpm_deploy.cli.options import (
    add_host_options,
    add_max_pixels_option,
    add_stride_option,
    add_trust_option,
    add_workers_option,
    positive,
)

HELP = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--answers", type=positive)
    parser.add_argument("--limit", type=positive)
    add_max_pixels_option(parser)
    add_stride_option(parser)
    add_trust_option(parser)
    add_host_options(parser)
    add_workers_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer each line of stdin with a line to the descriptor ``--answers``, or to stdout."""
    from mpm_deploy.measure.speed.worker import serve

    answers = data_stream() if arguments.answers is None else os.fdopen(arguments.answers, "w")
    try:
        serve(
            arguments.artifact,
            arguments.folder,
            sys.stdin,
            answers,
            limit=arguments.limit,
            device=arguments.device,
            threads=arguments.threads,
            workers=arguments.workers,
            stride=arguments.stride,
            max_pixels=arguments.max_pixels,
            trust=arguments.trust,
        )
    except BrokenPipeError:  # nobody waits for the answer
        discard(answers)
    return DONE

"""Implements ``mpm-deploy worker``, the process that ``bench`` times artifacts in."""

import argparse
import sys
from pathlib import Path

from mpm_deploy.cli.console import DONE, discard
from mpm_deploy.cli.options import add_host_options, add_stride_option, positive

HELP = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=positive)
    add_stride_option(parser)
    add_host_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer each line of stdin with a line of stdout."""
    from mpm_deploy.measure.speed.worker import serve

    try:
        serve(
            arguments.artifact,
            arguments.folder,
            sys.stdin,
            sys.stdout,
            device=arguments.device,
            threads=arguments.threads,
            limit=arguments.limit,
            stride=arguments.stride,
        )
    except BrokenPipeError:  # nobody waits for the answer
        discard(sys.stdout)
    return DONE

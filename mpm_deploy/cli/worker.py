"""``mpm-deploy worker``."""

import argparse
import sys
from pathlib import Path

from mpm_deploy.cli.options import add_host_options, add_stride_option, positive
from mpm_deploy.cli.talk import DONE

HELP = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("artifact", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=positive)
    add_stride_option(parser)
    add_host_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer lines of stdin, each with a line of stdout."""
    from mpm_deploy.measure.worker import serve

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
    return DONE

"""Implements ``mpm-deploy engine``, which adds an engine to an artifact of backend ``tensorrt``."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, say, status, talk
from mpm_deploy.cli.options import add_trust_option

HELP = "add TensorRT's engine for this machine's GPU to an artifact"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("artifact", type=Path, metavar="FILE", help="a .tensorrt.zip")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="another file; default: in place"
    )
    parser.add_argument(
        "--capability",
        metavar="8.6",
        help="of another machine's GPU, which TensorRT for RTX can name; default: this machine's",
    )
    parser.add_argument(
        "--flavor",
        metavar="tensorrt|tensorrt_rtx",
        help="what makes the engine; default: what the recipe of the artifact names",
    )
    add_trust_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Add the engine, print the file's path, and say of the engine whether it has run."""
    from mpm_deploy.builder.engine import add_engine

    with status() as step:
        made = add_engine(
            arguments.artifact,
            arguments.output,
            capability=arguments.capability,
            flavor=arguments.flavor,
            trust=arguments.trust,
            progress=step,
        )
    say(arguments.output or arguments.artifact)
    talk(made.described())
    return DONE

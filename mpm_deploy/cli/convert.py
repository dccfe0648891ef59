"""Implements ``mpm-deploy convert``, which turns weights of others into a file of our own."""

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, say, status, talk

HELP = "turn weights of others into safetensors, so that a pickle can be left behind"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a file or folder as --weights takes"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE.safetensors",
        help="FILE.toml, which says what they are, goes beside it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the weights, and print their path."""
    from mpm_deploy.models.weights.files import convert_weights

    with status() as step:
        step("converting")
        info = convert_weights(arguments.checkpoint, arguments.output)
    say(arguments.output)
    height, width = info.image_size
    talk(f"{info.model} for {height} × {width} pixels, {len(info.classes)} classes")
    return DONE

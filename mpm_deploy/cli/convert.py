"""``mpm-deploy convert``."""

import argparse
from pathlib import Path

from mpm_deploy.cli.options import check_can_write
from mpm_deploy.cli.talk import DONE, status, talk

HELP = "turn a Segmenter checkpoint into safetensors, so that its pickle can be left behind"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="its variant.yml lies beside it")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE.safetensors",
        help="FILE.toml, which says what they are, goes beside it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write them, and print the path."""
    check_can_write(arguments.output)
    from mpm_deploy.models.weights import convert_weights

    with status() as step:
        step("converting")
        info = convert_weights(arguments.checkpoint, arguments.output)
    print(arguments.output)
    height, width = info.image_size
    talk(f"{info.model} for {height} × {width} pixels, {len(info.classes)} classes")
    return DONE

"""``mpm-deploy build``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mpm_deploy.cli.options import add_recipe_options, check_can_write, recipe_of
from mpm_deploy.cli.talk import DONE, status, warn_of_random

HELP = "compile a recipe into one file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    add_recipe_options(parser)
    parser.add_argument(
        "--dataset",
        dest="task",
        metavar="ade20k|pascal_context|cityscapes",
        help="input size and classes as in the paper on that data set",
    )
    parser.add_argument("--full-token", action="store_true", help="the same model without merging")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: segmenter.pt or segmenter.pt2, here",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build, and print the path of the artifact."""
    recipe = recipe_of(arguments)
    if arguments.full_token:
        recipe = recipe.full_token()
    check_can_write(arguments.output)
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.build import build

    with status() as step:
        path = build(recipe, arguments.output, progress=step)
    print(path)
    warn_of_random(read_manifest(path).weights.origin)
    return DONE

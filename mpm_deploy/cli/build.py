"""Implements ``mpm-deploy build``, which builds an artifact from a recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

from mpm_deploy.cli.console import DONE, say, status, warn_of_random
from mpm_deploy.cli.options import add_recipe_options, recipe_of
from mpm_deploy.recipe.paper import TASKS

HELP = "compile a recipe into one file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_recipe_options(parser)
    parser.add_argument(
        "--task",
        metavar="|".join(TASKS),
        help="input size and classes as in the paper on that data set",
    )
    parser.add_argument("--full-token", action="store_true", help="the same model without merging")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: segmenter.pt, .pt2, .onnx.zip or .tensorrt.zip, here",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build the artifact, and print its path."""
    recipe = recipe_of(arguments)
    if arguments.full_token:
        recipe = recipe.full_token()
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.builder.build import build

    with status() as step:
        path = build(recipe, arguments.output, progress=step)
    say(path)
    warn_of_random(read_manifest(path).weights.origin)
    return DONE
